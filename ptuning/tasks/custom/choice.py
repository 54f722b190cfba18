"""Which of a few texts fits another one."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ptuning.config import Schema
from ptuning.errors import InputError
from ptuning.formats.rows import Row
from ptuning.tasks.custom.base import Column, CustomOptions, CustomTask, label_text
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import Example


class Columns(Schema):
    first: Column = Field(default="text", description="what the choices are for: a column, or a pattern")
    choices: list[Column] = Field(min_length=2, description="the columns of the choices, or patterns")
    label: Column = Field(default="label", description="the label")


class ChoiceOptions(CustomOptions):
    columns: Columns
    labels: list[str] | None = Field(
        default=None, description="what the label's column says for each choice; null: the choices' columns"
    )


class Choice(CustomTask[Example, np.ndarray], AccuracyTask):
    head = "choice"
    Options = ChoiceOptions

    def __init__(self, name: str, options: ChoiceOptions) -> None:
        super().__init__(name, options)
        choices = options.columns.choices
        self.labels = tuple(options.labels or choices)
        if len(self.labels) != len(choices) or len(set(self.labels)) < len(choices):
            raise InputError(
                f"task.options.labels of task.name={name} are {', '.join(self.labels)}, and there are {len(choices)} "
                "choices: give each one label."
            )
        self.template_fields = self.columns  # type: ignore[misc]

    def examples(self, row: Row, where: str) -> list[Example]:
        columns = self.options.columns
        first = self.text(row, columns.first, where)
        segments = tuple((first, self.text(row, choice, where)) for choice in columns.choices)
        return [Example(segments, self._label(row, where), fields=self.named_texts(row))]

    def _label(self, row: Row, where: str) -> int:
        found = label_text(row.get(self.options.columns.label), where)
        if found is not None and found not in self.labels:
            raise InputError(
                f"{where}: label {found!r} is not one of {', '.join(self.labels)}: correct it, or say in "
                "task.options.labels what it says for each choice."
            )
        return -1 if found is None else self.labels.index(found)
