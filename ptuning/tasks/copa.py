"""COPA (Roemmele et al., 2011; SuperGLUE section 3): which of two choices is the cause, or the effect?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import Example
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS
from ptuning.tasks.kinds.superglue import superglue_files

JOINERS = {"cause": "because", "effect": "so"}
TALES = (  # question, premise, choice: of the premise's two things, the second is the one that the choice fits
    ("effect", "{person} lost the {first} and found the {second}.", "{person} has the {thing}."),
    ("cause", "{person} sold the {first} and uses the {second}.", "{person} kept the {thing}."),
)


class COPA(AccuracyTask):
    name = "copa"
    version = 1
    head = "choice"
    labels = ("choice1", "choice2")
    template_fields = ("premise", "joiner", "choice1", "choice2")
    folder = "COPA"
    files = superglue_files("COPA")
    hub = ("aps/super_glue", "copa")

    def examples(self, row: Row, where: str) -> list[Example]:
        """One example with a sequence for each choice: (premise and joining word, choice)."""
        question = fields.text(row, "question", where)
        if question not in JOINERS:
            raise InputError(
                f"{where}: question {fields.short(question)} is not one of {', '.join(JOINERS)}: correct"
                " the line or remove it."
            )
        premise = fields.text(row, "premise", where)
        first = f"{premise} {JOINERS[question]}"
        segments = tuple((first, fields.text(row, choice, where)) for choice in self.labels)
        named = {"premise": premise, "joiner": JOINERS[question]} | {choice: row[choice] for choice in self.labels}
        return [Example(segments, fields.label(row, (0, 1), where), fields=named)]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return iter(rows)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Swapping the two things in the premise flips the answer."""
        while True:
            (question, premise, choice), person = rng.choice(TALES), rng.choice(PEOPLE)
            one, two = rng.sample(THINGS, 2)
            yield [
                {
                    "premise": premise.format(person=person, first=first, second=second),
                    "choice1": choice.format(person=person, thing=one),
                    "choice2": choice.format(person=person, thing=two),
                    "question": question,
                    "label": label,
                }
                for label, (first, second) in enumerate(((two, one), (one, two)))
            ]
