"""CoLA (Warstadt et al., 2019; GLUE section 3): is it an acceptable sentence?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from ptuning.formats.rows import Row
from ptuning.metrics.classification import matthews
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.glue import GLUETask, glue_files
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS

PATTERNS = (  # an acceptable sentence, and the same words in an order that is not
    ("{one} gave {two} the {thing} .", "{one} {two} gave the {thing} ."),
    ("{one} put the {thing} near {two} .", "{one} put near the {thing} {two} ."),
    ("the {thing} that {one} sold {two} is old .", "that the {thing} {one} sold {two} is old ."),
    ("{one} asked {two} who has the {thing} .", "{one} asked who {two} has the {thing} ."),
)


class CoLA(GLUETask):
    name = "cola"
    labels = ("unacceptable", "acceptable")
    values = (0, 1)
    metric = "matthews"
    texts: ClassVar = {"sentence": "sentence"}
    template_fields = (*SEGMENTS, *texts)
    columns = ("source", "label", "mark", "sentence")  # the mark: the author's star before what is unacceptable
    folder = "CoLA"
    files = glue_files("CoLA")
    origin = "nyu-mll.github.io/CoLA, and gluebenchmark.com"
    hub = ("nyu-mll/glue", "cola")

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        return {"matthews": matthews([example.label for example in examples], logits.argmax(axis=-1))}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Another order of the same words."""
        while True:
            (one, two), thing, patterns = rng.sample(PEOPLE, 2), rng.choice(THINGS), rng.choice(PATTERNS)
            yield [
                {"sentence": pattern.format(one=one, two=two, thing=thing), "label": label}
                for label, pattern in zip((1, 0), patterns, strict=True)
            ]
