"""QNLI (GLUE section 3, from SQuAD): does the sentence hold the answer to the question?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS
from ptuning.tasks.kinds.glue import GLUETask, glue_files
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS


class QNLI(AccuracyTask, GLUETask):
    name = "qnli"
    labels = values = ("entailment", "not_entailment")  # the hub's order
    texts: ClassVar = {"question": "question", "sentence": "sentence"}
    template_fields = (*SEGMENTS, *texts)
    folder = "QNLI"
    files = glue_files("QNLI", "json")
    hub = ("nyu-mll/glue", "qnli")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Of one thing the sentence says who has it, of the other one that nobody knows. Swapping them flips the
        answer."""
        while True:
            person, (asked, other) = rng.choice(PEOPLE), rng.sample(THINGS, 2)
            yield [
                {
                    "question": f"Who has the {asked}?",
                    "sentence": f"{person} has the {known}, but nobody knows about the {lost}.",
                    "label": label,
                }
                for label, known, lost in (("entailment", asked, other), ("not_entailment", other, asked))
            ]
