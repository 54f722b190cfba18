"""QQP, Quora Question Pairs (GLUE section 3): do two questions ask the same?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.examples import SEGMENTS
from ptuning.tasks.kinds.glue import PairTask, glue_files

TOWNS = ["Rome", "Paris", "London", "Berlin", "Madrid", "Boston", "Dublin", "Vienna", "Milan", "Oxford", "Geneva",
         "Athens", "Moscow", "Lisbon", "Delhi", "Tokyo", "Chicago", "Dallas", "Denver", "Miami"]  # fmt: skip
QUESTIONS = (
    "How do I get from {start} to {end}?",
    "What is the best way from {start} to {end}?",
    "How can people travel from {start} to {end}?",
    "Which road goes from {start} to {end}?",
)


class QQP(PairTask):
    name = "qqp"
    labels = ("not_duplicate", "duplicate")
    texts: ClassVar = {"question1": "question1", "question2": "question2"}
    template_fields = (*SEGMENTS, *texts)
    label_column = "is_duplicate"
    folder = "QQP"
    files = glue_files("QQP", "json")
    hub = ("nyu-mll/glue", "qqp")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Swapping where a journey begins and ends in one of the questions flips the answer."""
        while True:
            (here, there), (one, other) = rng.sample(TOWNS, 2), rng.sample(QUESTIONS, 2)
            yield [
                {"question1": one.format(start=here, end=there), "question2": other.format(start=start, end=end),
                 "label": label}
                for label, start, end in ((1, here, there), (0, there, here))
            ]  # fmt: skip
