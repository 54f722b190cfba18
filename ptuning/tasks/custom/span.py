"""The part of a text that answers a question: SQuAD's JSON (.json), or a row a question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ptuning.config import Schema
from ptuning.errors import InputError
from ptuning.formats import fields, squad
from ptuning.formats.rows import Row, Rows
from ptuning.metrics.squad import squad_v1, squad_v2
from ptuning.tasks.custom.base import Column, CustomOptions, CustomTask
from ptuning.tasks.kinds.examples import Question
from ptuning.tasks.kinds.qa import QA, Candidates


class Columns(Schema):
    question: Column = Field(default="question", description="what is asked")
    context: Column = Field(default="context", description="the text that the answer is a part of")
    answer: Column = Field(default="answer", description="its words; nothing, where there is no answer")
    start: Column | None = Field(
        default=None, description="the answer's first character, counted from 0; null: where it first stands"
    )


class SpanOptions(CustomOptions):
    columns: Columns = Columns()
    unanswerable: bool = Field(default=False, description="whether questions may have no answer, as in SQuAD 2.0")
    stride: int = Field(default=128, ge=1, description="tokens that windows of a text too long for one share")
    n_best: int = Field(default=20, ge=1, description="first and last tokens that are tried")
    max_answer: int = Field(default=30, ge=1, description="tokens of an answer at most")


class Span(CustomTask[Question, list[Candidates]], QA):
    Options = SpanOptions

    def __init__(self, name: str, options: SpanOptions) -> None:
        CustomTask.__init__(self, name, options)
        self.stride = options.stride  # type: ignore[misc]
        self.n_best, self.max_answer = options.n_best, options.max_answer
        self.unanswerable = options.unanswerable  # type: ignore[misc]
        self.template_fields = ()  # type: ignore[misc]

    def read(self, path: Path) -> Rows:
        return squad.read(path) if path.suffix.lower() == ".json" else super().read(path)

    def hub_rows(self, loaded: Any) -> list[Row]:
        """With the answers as SQuAD's are on the hub, two lists, where they are so; else in columns."""
        if "answers" not in (loaded.features or ()):
            return super().hub_rows(loaded)
        return list(QA.from_hub(self, [dict(row) for row in loaded]))

    def examples(self, row: Row, where: str) -> list[Question]:
        columns = self.options.columns
        said = {"question": self.text(row, columns.question, where), "context": self.text(row, columns.context, where)}
        if "answers" in row:
            return QA.examples(self, {**said, "answers": row["answers"]}, where)
        if row.get(columns.answer) is None:
            return QA.examples(self, said, where)
        return QA.examples(self, {**said, "answers": self._answers(row, said["context"], where)}, where)

    def _answers(self, row: Row, context: str, where: str) -> list[dict[str, Any]]:
        """The answer and where it stands, none where it is blank."""
        columns = self.options.columns
        answer = self.text(row, columns.answer, where).strip()
        if not answer:
            return []
        start = context.find(answer) if columns.start is None else self._start(row, columns.start, where)
        if start < 0:
            raise InputError(f"{where}: the answer {fields.short(answer)} is not in the context: correct the row.")
        return [{"text": answer, "answer_start": start}]

    def _start(self, row: Row, column: str, where: str) -> int:
        cell = self.cell(row, column, where)
        if not re.fullmatch(r"\d{1,9}", str(cell).strip()):
            raise InputError(f"{where}: {column}={fields.short(cell)} is no place of a character: correct the row.")
        return int(cell)

    def answer(self, question: Question, found: Candidates) -> str:
        """Empty where there may be none, and none is likelier than the best one, or was said."""
        is_none = self.unanswerable and found.null_margin > 0
        return "" if is_none else super().answer(question, found)

    def score(self, examples: Sequence[Question], answers: list[Candidates]) -> dict[str, float]:
        """SQuAD's exact match and token F1; 2.0's where there may be no answer."""
        texts = [self.answer(question, found) for question, found in zip(examples, answers, strict=True)]
        golds = [[text for text, _ in example.answers or ()] for example in examples]
        return squad_v2(texts, golds) if self.unanswerable else squad_v1(texts, golds)
