"""RTE (Dagan et al., 2006, and its three successors; SuperGLUE section 3): does the premise entail the hypothesis?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS
from ptuning.tasks.kinds.superglue import superglue_files


class RTE(AccuracyTask):
    name = "rte"
    version = 1
    head = "classification"
    labels = ("entailment", "not_entailment")  # the hub's order
    template_fields = (*SEGMENTS, "premise", "hypothesis")
    folder = "RTE"
    files = superglue_files("RTE")
    hub = ("aps/super_glue", "rte")

    def examples(self, row: Row, where: str) -> list[Example]:
        premise, hypothesis = fields.text(row, "premise", where), fields.text(row, "hypothesis", where)
        named = {"premise": premise, "hypothesis": hypothesis}
        return [Example(((premise, hypothesis),), fields.label(row, self.labels, where), fields=named)]

    def text_keys(self) -> Sequence[str]:
        return "premise", "hypothesis"

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({**row, "label": self.labels[row["label"]]} for row in rows)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who paid has bought. Swapping buyer and seller in the premise flips the answer."""
        while True:
            (named, other), thing = rng.sample(PEOPLE, 2), rng.choice(THINGS)
            yield [
                {
                    "premise": f"{buyer} paid {seller} for the {thing}.",
                    "hypothesis": f"{named} bought the {thing}.",
                    "label": label,
                }
                for buyer, seller, label in ((named, other, "entailment"), (other, named, "not_entailment"))
            ]
