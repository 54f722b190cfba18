"""Documents summed up: a document and its one summary a row, whitespace being single spaces in both."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.rouge import rouge
from ptuning.tasks.kinds.examples import Request
from ptuning.tasks.kinds.generation import GenerationTask
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS

_SENTENCE_END = re.compile(r"(?<=[.!?]) ")


class Summarization(GenerationTask):
    """`document` and `summary` are a row's keys; `lead` is how many sentences the baseline takes."""

    metric = "rouge_l"
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    document: ClassVar[str]
    summary: ClassVar[str]
    lead: ClassVar[int]

    def source(self, row: Row, where: str) -> str:
        return _one_line(row, self.document, where)

    def references(self, row: Row, where: str) -> tuple[str, ...] | None:
        return (_one_line(row, self.summary, where),) if self.summary in row else None

    def text_keys(self) -> Sequence[str]:
        return (self.document,)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({key: row[key] for key in (self.document, self.summary)} for row in rows)

    def score(self, examples: Sequence[Request], answers: list[str]) -> dict[str, float]:
        return rouge(answers, [example.references or () for example in examples])

    def baselines(self, examples: Sequence[Request]) -> Mapping[str, list[str]]:
        """`lead`: the first sentences of the document."""
        first = [" ".join(_SENTENCE_END.split(example.source)[: self.lead]) for example in examples]
        return {**super().baselines(examples), "lead": first}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Two people and what each has, and about whom it is: a family tells both ways round of both, so that the same
        words sum up differently."""
        while True:
            people, things = rng.sample(PEOPLE, 2), rng.sample(THINGS, 2)
            yield [
                {
                    self.document: f"{people[0]} has the {a} . {people[1]} has the {b} . It is about {about} .",
                    self.summary: f"{about} has the {a if about == people[0] else b} .",
                }
                for a, b in (things, things[::-1])
                for about in people
            ]


def _one_line(row: Row, key: str, where: str) -> str:
    found = " ".join(fields.text(row, key, where).split())
    if not found:
        raise InputError(f"{where}: {key} is blank: write it, or remove the line.")
    return found
