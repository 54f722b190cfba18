"""A text for a text: summaries, translations, answers, descriptions of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ptuning.config import Schema
from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.overlap import bleu, chrf
from ptuning.metrics.rouge import rouge
from ptuning.tasks.custom.base import Column, CustomOptions, CustomTask
from ptuning.tasks.kinds.examples import Request
from ptuning.tasks.kinds.generation import GenerationTask


class Columns(Schema):
    source: Column = Field(
        default="source", description="what is read: a column, or a pattern such as '{title}: {body}'"
    )
    target: Column = Field(
        default="target", description="what is to be said; in JSON also a list, of which the first is learned"
    )


class GenerationOptions(CustomOptions):
    columns: Columns = Columns()
    metric: Literal["rouge_1", "rouge_2", "rouge_l", "bleu", "chrf"] = Field(
        default="rouge_l", description="what tables print and chooses the epoch"
    )


class Generation(CustomTask[Request, list[str]], GenerationTask):
    Options = GenerationOptions

    def __init__(self, name: str, options: GenerationOptions) -> None:
        super().__init__(name, options)
        self.metric = options.metric  # type: ignore[misc]
        self.template_fields = GenerationTask.template_fields  # type: ignore[misc]

    def examples(self, row: Row, where: str) -> list[Request]:
        return GenerationTask.examples(self, row, where)

    def source(self, row: Row, where: str) -> str:
        found = self.text(row, self.options.columns.source, where)
        if not found.strip():
            raise InputError(f"{where}: {self.options.columns.source} is blank: write a text, or remove the row.")
        return found

    def references(self, row: Row, where: str) -> tuple[str, ...] | None:
        column = self.options.columns.target
        if row.get(column) is None:
            return None
        several = isinstance(row[column], list)
        found = fields.texts(row, column, where) if several else [self.text(row, column, where)]
        if not all(text.strip() for text in found):
            raise InputError(f"{where}: {column} is blank: write what is to be said, or remove the row.")
        return tuple(found)

    def score(self, examples: Sequence[Request], answers: list[str]) -> dict[str, float]:
        """ROUGE, BLEU and chrF, with the best of an example's references."""
        golds = [example.references or () for example in examples]
        return rouge(answers, golds) | {"bleu": bleu(answers, golds), "chrf": chrf(answers, golds)}
