"""STS-B (Cer et al., 2017; GLUE section 3): how alike in meaning are two sentences, from 0 to 5?"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds.examples import Rating
from ptuning.tasks.kinds.glue import ORIGIN, glue_files, read
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS
from ptuning.tasks.kinds.ratings import RatingTask
from ptuning.tasks.kinds.text_forms import TextForm

MOST = 5.0


class RatingAsText(TextForm[Rating]):
    """A number, rounded to 0.2: "0.0", "0.2" to "5.0" (Raffel et al., 2020, section 2.4)."""

    def source(self, example: Rating) -> str:
        first, second = example.segments[0]
        return f"sentence1: {first} sentence2: {second}"

    def target(self, example: Rating) -> str:
        assert example.score is not None
        return f"{round(5 * example.score) / 5:.1f}"

    def read(self, example: Rating, text: str) -> float | None:
        return float(text) if re.fullmatch(r"[0-5](\.[0-9]+)?", text) else None

    def unread(self, example: Rating, text: str) -> float:
        """What T5 takes for a text that is no number (t5/data/postprocessors.py, string_to_float @ 127453a)."""
        return -1.0

    def answers(self, examples: Sequence[Rating], texts: Sequence[str]) -> np.ndarray:
        """The scores that the texts say, `[N]`."""
        return np.array(super().answers(examples, texts))


class STSB(RatingTask):
    name = "stsb"
    version = 1
    metric = "pearson"
    texts: ClassVar = {"sentence1": "sentence1", "sentence2": "sentence2"}
    folder = "STS-B"
    files = glue_files("STS-B")
    origin = ORIGIN
    hub = ("nyu-mll/glue", "stsb")

    def read(self, path: Path) -> Rows:
        """Scores as numbers; what is none stays as it is, and is refused by its place."""
        rows = read(path, self.texts, ("score", "score"))
        return [(where, row if "score" not in row else {**row, "score": _number(row["score"])}) for where, row in rows]

    def examples(self, row: Row, where: str) -> list[Rating]:
        first, second = (fields.text(row, key, where) for key in self.texts)
        return [Rating(((first, second),), _score(row, where))]

    def text_keys(self) -> Sequence[str]:
        return tuple(self.texts)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub calls the score a label."""
        return ({**{key: row[key] for key in self.texts}, "score": row["label"]} for row in rows)

    def text_form(self) -> RatingAsText:
        return RatingAsText()

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who has what, told of two people in one order or the other: 5 where both are the same, 4 where the order
        alone differs, 1 where the things are swapped, 0 where both are. The words are the same in all."""
        while True:
            (one, two), (first, second) = rng.sample(PEOPLE, 2), rng.sample(THINGS, 2)
            told = "{} has the {} and {} has the {}."
            yield [
                {"sentence1": told.format(one, first, two, second), "sentence2": told.format(*said), "score": score}
                for score, said in (
                    (5.0, (one, first, two, second)),
                    (4.0, (two, second, one, first)),
                    (1.0, (one, second, two, first)),
                    (0.0, (two, first, one, second)),
                )
            ]


def _number(cell: Any) -> Any:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return cell


def _score(row: Row, where: str) -> float | None:
    """None where the row has none."""
    score = row.get("score")
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= MOST:  # nan neither
        raise InputError(f"{where}: score {fields.short(score)} is not a number from 0 to 5: correct it or remove it.")
    assert math.isfinite(score)
    return float(score)
