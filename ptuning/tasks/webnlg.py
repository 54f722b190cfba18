"""WebNLG 2017 (Gardent et al., 2017): triples out of DBpedia, of ten categories, told in sentences.

The challenge's test set has five categories more, which a model has not seen. It comes through the hub (or as the file
`data.files.test`), and is there the tests `seen`, `unseen` and `all`. Without it three of the ten are held out, and
their part of dev is `unseen`; of the others' part one half is dev, the other `seen`, and `all` is both tests.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds.data_to_text import drawn
from ptuning.tasks.kinds.triples import Triples

CATEGORIES = (
    "Airport", "Astronaut", "Building", "City", "ComicsCharacter", "Food", "Monument", "SportsTeam", "University",
    "WrittenWork",
)  # fmt: skip

OF_THE_TEST_SET = ("Artist", "Athlete", "CelestialBody", "MeanOfTransportation", "Politician")


class WebNLG(Triples):
    name = "webnlg"
    folder = "webnlg"
    files: ClassVar = {"train": "webnlg/train", "dev": "webnlg/dev"}
    extra_tests = (*Triples.extra_tests, "test")
    origin = "gitlab.com/shimorina/webnlg-dataset, webnlg_challenge_2017, CC BY-NC-SA 4.0"
    hub = ("webnlg-challenge/web_nlg", "webnlg_challenge_2017")
    hub_revision = "refs/convert/parquet"
    hub_splits: ClassVar = {"train": "train", "dev": "dev", "test": "test"}

    def __init__(self, held_out: Sequence[str] = ("Astronaut", "Monument", "WrittenWork")) -> None:
        """`held_out`: categories that are not learned from, where there is no test set."""
        for category in held_out:
            if category not in CATEGORIES:
                raise InputError(
                    f"task.options.held_out has {category!r}, which is no category: choose from "
                    f"{', '.join(CATEGORIES)}."
                )
        if not 0 < len(set(held_out)) < len(CATEGORIES):
            raise InputError(
                f"task.options.held_out={list(held_out)} is refused: hold out one category at least, not all."
            )
        self.held_out = frozenset(held_out)

    def read(self, path: Path) -> Rows:
        rows = super().read(path)
        for where, row in rows:
            if row["category"] not in (*CATEGORIES, *OF_THE_TEST_SET):
                raise InputError(
                    f"{where}: the category {fields.short(row['category'])} is not one of WebNLG's "
                    f"({', '.join(CATEGORIES[:4])}, ...): correct the entry or remove it."
                )
        return rows

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        if "test" in splits:
            train, dev, tests = (splits[split] for split in ("train", "dev", "test"))
            seen, unseen = _parted(tests, {row["category"] for _, row in train})
        else:
            learned = set(CATEGORIES) - self.held_out
            train, _ = _parted(splits["train"], learned)
            inside, unseen = _parted(splits["dev"], learned)
            dev, seen = drawn(inside, 2)
            tests = [*seen, *unseen]
        return super().make_splits({"train": train, "dev": dev, "seen": seen, "unseen": unseen, "all": tests})

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub has the test set several times, once without texts."""
        known: list[Row] = []
        for row in rows:
            texts, is_test = row["lex"]["text"], bool(row.get("2017_test_category"))
            found = {
                "category": row["category"],
                "triples": [one.split(" | ") for one in row["modified_triple_sets"]["mtriple_set"][0]],
                "references": texts,
            }
            if is_test and (not texts or found in known):
                continue
            if is_test:
                known.append(found)
            yield found if texts else {key: found[key] for key in ("category", "triples")}

    def miniature_category(self, rng: random.Random) -> str:
        return rng.choice(CATEGORIES)


def _parted(rows: Rows, categories: Collection[str]) -> tuple[Rows, Rows]:
    """Those of the categories, and the others."""
    inside = [one for one in rows if one[1]["category"] in categories]
    return inside, [one for one in rows if one[1]["category"] not in categories]
