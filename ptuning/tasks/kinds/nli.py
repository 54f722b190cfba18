"""Natural-language inference in three labels: does the premise entail the hypothesis, contradict it, or neither?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS
from ptuning.tasks.kinds.glue import GLUETask
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS


class NLI(AccuracyTask, GLUETask):
    labels = values = ("entailment", "neutral", "contradiction")  # the hub's order
    texts: ClassVar = {"premise": "sentence1", "hypothesis": "sentence2"}
    template_fields = (*SEGMENTS, *texts)
    label_column = "gold_label"

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who has the thing, who gave it away, and of whom is it not said? Rotating the three people changes the
        answer."""
        while True:
            (named, two, three), thing = rng.sample(PEOPLE, 3), rng.choice(THINGS)
            orders = ((two, named, three), (three, two, named), (named, three, two))  # named: has it, unknown, gave it
            yield [
                {
                    "premise": f"{giver} gave the {thing} to {taker}, and {other} did not see it.",
                    "hypothesis": f"{named} has the {thing} now.",
                    "label": label,
                }
                for label, (giver, taker, other) in zip(self.labels, orders, strict=True)
            ]
