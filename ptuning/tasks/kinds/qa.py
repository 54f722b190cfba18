"""Extractive question answering: the answer is a part of the passage (SQuAD), or there is none (SQuAD 2.0).

As in the authors' code: windows of `task.max_length` tokens that share `stride`, answers of at most `max_answer`
tokens, `n_best` candidates, and in SQuAD 2.0 no answer wherever it scores more than `null_threshold` above the best
one.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptuning.errors import InputError
from ptuning.formats import fields, squad
from ptuning.formats.rows import Row
from ptuning.metrics.squad import squad_v1
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Question
from ptuning.tasks.kinds.miniature_words import THINGS
from ptuning.tasks.kinds.text_forms import TextForm

NO_ANSWER = "no answer"
ROOMS = ["kitchen", "garden", "office", "hall", "shop", "school", "tower", "garage", "cellar", "attic"]


@dataclass(frozen=True)
class Candidates:
    """The likeliest answers to a question, best first, as (first character, end, score); `null`: no answer's score.
    `said`: the answer itself, where it was said rather than found, empty where that was that there is none."""

    spans: tuple[tuple[int, int, float], ...]
    null: float
    said: str | None = None

    @property
    def null_margin(self) -> float:
        """How far no answer scores above the best one; where an answer was said, nothing does."""
        if self.said is not None:
            return float("-inf")
        return self.null - max((score for _, _, score in self.spans), default=float("-inf"))


class QuestionAsText(TextForm[Question]):
    """As T5 writes SQuAD (t5/data/preprocessors.py, squad @ 0068fa7), without its spaces around punctuation. Any text
    is an answer; `no answer`, to a question without one, is this project's own."""

    def source(self, example: Question) -> str:
        return f"question: {example.question} context: {example.context}"

    def target(self, example: Question) -> str:
        return example.answers[0][0] if example.answers else NO_ANSWER

    def read(self, example: Question, text: str) -> Candidates:
        return Candidates((), 0.0, "" if text == NO_ANSWER else text)

    unread = read


def _located(context: str, text: str, start: int, where: str) -> tuple[str, int]:
    """The answer without the spaces around it, and its first character in the passage.

    The published files hold a few answers whose offset is one short, most of them with a space in front (15 of them in
    SQuAD 1.1's dev-v1.1.json): they are set right. Raises InputError for any other that does not stand where it
    should, and for one of spaces alone.
    """
    bare = text.strip()
    if not bare:
        raise InputError(f"{where}: the answer {fields.short(text)} is blank: correct it or remove the question.")
    begin = start + len(text) - len(text.lstrip())
    for place in (begin, begin + 1):
        if place >= 0 and context.startswith(bare, place):
            return bare, place
    raise InputError(
        f"{where}: the answer {fields.short(text)} does not stand at answer_start={start}, where the context has "
        f"{fields.short(context[max(0, start) : max(0, start) + len(text)])}: correct answer_start or"
        " remove the question."
    )


class QA(Task[Question, list[Candidates]]):
    head = "span"
    metric = "f1"
    version = 1
    answer_key = "answer"
    unanswerable: ClassVar[bool] = False  # whether there are questions without an answer

    def __init__(self, stride: int = 128, n_best: int = 20, max_answer: int = 30) -> None:
        for key, value in (("stride", stride), ("n_best", n_best), ("max_answer", max_answer)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"task.options.{key}={value!r} is refused: give a whole number of 1 or more.")
        self.stride, self.n_best, self.max_answer = stride, n_best, max_answer  # type: ignore[misc]

    def read(self, path: Path) -> list[tuple[str, Row]]:
        return squad.read(path)

    def examples(self, row: Row, where: str) -> list[Question]:
        question, context = fields.text(row, "question", where), fields.text(row, "context", where)
        if "answers" not in row:
            return [Question(question, context, None, where)]
        # Without an answer, an empty list is in order; `records` asks for one or more.
        given = [] if row["answers"] == [] else fields.records(row, "answers", where)
        if not given and not self.unanswerable:
            raise InputError(
                f"{where}: the question has no answer, and {self.name} has one to each: remove the question, or choose"
                " task=squad_v2."
            )
        answers = tuple(
            _located(context, fields.text(one, "text", where), fields.integer(one, "answer_start", where), where)
            for one in given
        )
        return [Question(question, context, answers, where)]

    def text_keys(self) -> Sequence[str]:
        return "question", "context"

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub stores answers as two lists."""
        for row in rows:
            answers = [
                {"text": text, "answer_start": start}
                for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
            ]
            yield {**row, "answers": answers, "is_impossible": not answers}

    def answer(self, question: Question, found: Candidates) -> str:
        """The likeliest answer's text, or what was said."""
        if found.said is not None:
            return found.said
        first, end, _ = found.spans[0] if found.spans else (0, 0, 0.0)
        return question.context[first:end]

    def text_form(self) -> QuestionAsText:
        return QuestionAsText()

    def said(self, examples: Sequence[Question], answers: list[Candidates]) -> list[Hashable]:
        """The answer's text."""
        return [self.answer(question, found) for question, found in zip(examples, answers, strict=True)]

    def score(self, examples: Sequence[Question], answers: list[Candidates]) -> dict[str, float]:
        texts = [self.answer(question, found) for question, found in zip(examples, answers, strict=True)]
        return squad_v1(texts, [[text for text, _ in example.answers or ()] for example in examples])

    def constant_answer(self, examples: Sequence[Question], answers: list[Candidates]) -> str | None:
        """That there is none, where that is said of all questions."""
        found = any(self.answer(question, one) for question, one in zip(examples, answers, strict=True))
        return None if found else "no answer"

    def format_prediction(self, example: Question, answer: Candidates) -> dict[str, Any]:
        """The answer, and the likeliest ones with the sum of their first and last token's logits."""
        likeliest = [{"text": example.context[first:end], "score": score} for first, end, score in answer.spans[:5]]
        return {"question": example.question, "answer": self.answer(example, answer), "likeliest": likeliest}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Where is the thing? Two things in two rooms; swapping the rooms, or asking for the other thing, moves the
        answer, with the same words in the passage."""
        while True:
            things, rooms = rng.sample(THINGS, 2), rng.sample(ROOMS, 2)
            yield [
                self._row(f"The {things[0]} is in the {a} and the {things[1]} is in the {b}.", asked, room)
                for a, b in (rooms, rooms[::-1])
                for asked, room in ((things[0], a), (things[1], b))
            ]

    def _row(self, context: str, thing: str, room: str | None) -> Row:
        """Where `thing` is in a passage: the room, or not known."""
        answers = [] if room is None else [{"text": f"the {room}", "answer_start": context.index(f"the {room}")}]
        return {
            "question": f"Where is the {thing}?",
            "context": context,
            "answers": answers,
            "is_impossible": not answers,
        }
