"""DART (Nan et al., 2021): triples out of tables, and of WebNLG and E2E, told in sentences. Version 1.1.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds.data_to_text import drawn
from ptuning.tasks.kinds.triples import Triples

FILES = {
    "train": "dart/dart-v1.1.1-full-train.xml",
    "dev": "dart/dart-v1.1.1-full-dev.xml",
    "test": "dart/dart-v1.1.1-full-test.xml",
}
TENTH = 10  # of the sets of triples of the dev file one of so many is for development, where the others are to train


class DART(Triples):
    name = "dart"
    folder = "dart"
    files: ClassVar = FILES
    origin = "github.com/Yale-LILY/dart, data/v1.1.1, MIT"
    hub = ("Yale-LILY/dart", "default")
    hub_revision = "refs/convert/parquet"
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}

    def __init__(self, train: str = "file") -> None:
        """`train`: `file`, or `dev`, which learns from nine tenths of the dev file, where no other is at hand."""
        if train not in ("file", "dev"):
            raise InputError(f"task.options.train={train!r} is refused: choose file or dev (nine tenths of dev's).")
        self.train = train
        if train == "dev":
            self.files = {split: path for split, path in FILES.items() if split != "train"}  # type: ignore[misc]

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        if self.train == "dev":
            dev, train = drawn(splits["dev"], TENTH)
            splits = {**splits, "train": train, "dev": dev}
        return super().make_splits(splits)

    def named(self, triple: Sequence[str]) -> Sequence[str]:
        """The property in lower case, as the released code has DART's."""
        return triple[0], triple[1].lower(), triple[2]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            texts = row["annotations"]["text"]
            yield {"category": "MISC", "triples": row["tripleset"]} | ({"references": texts} if texts else {})
