"""SQuAD 2.0 (Rajpurkar et al., 2018): half of the questions have no answer in the passage."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.metrics.squad import squad_v2
from ptuning.tasks.kinds.examples import Question
from ptuning.tasks.kinds.miniature_words import THINGS
from ptuning.tasks.kinds.qa import QA, ROOMS, Candidates


class SQuADv2(QA):
    name = "squad_v2"
    unanswerable = True
    folder = "squad"
    files: ClassVar = {"train": "squad/train-v2.0.json", "dev": "squad/dev-v2.0.json"}
    origin = "rajpurkar.github.io/SQuAD-explorer, CC BY-SA 4.0"
    hub: ClassVar[tuple[str, str] | None] = ("rajpurkar/squad_v2", "squad_v2")

    def __init__(self, null_threshold: float = 0.0, stride: int = 128, n_best: int = 20, max_answer: int = 30) -> None:
        super().__init__(stride, n_best, max_answer)
        self.null_threshold = null_threshold

    def answer(self, question: Question, found: Candidates) -> str:
        """Empty where no answer is likelier than the best one, or was said."""
        return "" if found.null_margin > self.null_threshold else super().answer(question, found)

    def score(self, examples: Sequence[Question], answers: list[Candidates]) -> dict[str, float]:
        texts = [self.answer(question, found) for question, found in zip(examples, answers, strict=True)]
        return squad_v2(texts, [[text for text, _ in example.answers or ()] for example in examples])

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Of two things the passage says where one is, first or last; asked for the other, there is no answer."""
        while True:
            things, rooms = rng.sample(THINGS, 2), rng.sample(ROOMS, 2)
            passages = [
                (f"The {' and the '.join(said)}.", known, room)
                for known, lost in (things, things[::-1])
                for room, other in (rooms, rooms[::-1])
                for said in permutations((f"{known} is in the {room}", f"{lost} is not in the {other}"))
            ]
            yield [
                self._row(context, asked, room if asked == known else None)
                for context, known, room in passages
                for asked in things
            ]
