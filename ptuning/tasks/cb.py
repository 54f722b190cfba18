"""CB, the CommitmentBank (de Marneffe et al., 2019; SuperGLUE section 3): three-way entailment."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.classification import macro_f1
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import PEOPLE
from ptuning.tasks.kinds.superglue import superglue_files


class CB(AccuracyTask):
    name = "cb"
    version = 1
    head = "classification"
    labels = ("entailment", "contradiction", "neutral")  # the hub's order
    template_fields = (*SEGMENTS, "premise", "hypothesis")
    folder = "CB"
    files = superglue_files("CB")
    hub = ("aps/super_glue", "cb")

    def examples(self, row: Row, where: str) -> list[Example]:
        premise, hypothesis = fields.text(row, "premise", where), fields.text(row, "hypothesis", where)
        named = {"premise": premise, "hypothesis": hypothesis}
        return [Example(((premise, hypothesis),), fields.label(row, self.labels, where), fields=named)]

    def text_keys(self) -> Sequence[str]:
        return "premise", "hypothesis"

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({**row, "label": self.labels[row["label"]]} for row in rows)

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        """Table 2 of P-Tuning v2 prints accuracy; SuperGLUE averages it with the macro F1."""
        labels, predictions = [example.label for example in examples], logits.argmax(axis=-1)
        return super().score(examples, logits) | {"f1_macro": macro_f1(labels, predictions, len(self.labels))}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who won, who lost, and of whom is it not said? Rotating the three people changes the answer."""
        while True:
            named, two, three = rng.sample(PEOPLE, 3)
            orders = ((named, two, three), (three, named, two), (two, three, named))  # named: won, lost, unknown
            yield [
                {
                    "premise": f"{won} beat {lost}. Did {unknown} win?",
                    "hypothesis": f"{named} won.",
                    "label": label,
                }
                for label, (won, lost, unknown) in zip(self.labels, orders, strict=True)
            ]
