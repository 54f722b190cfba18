"""Any of several labels, of a text or of a pair of texts: in a column each, or all in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.classification import label_f1
from ptuning.tasks.custom.base import Column, CustomOptions, LabelledTask, TextColumns, label_text
from ptuning.tasks.kinds.examples import Tagged

YES, NO = ("1", "true", "yes"), ("0", "false", "no", "")


class Columns(TextColumns):
    labels: Column | list[Column] = Field(
        default="labels", description="a list of columns of 0 and 1, or one column with all that hold"
    )


class MultiLabelOptions(CustomOptions):
    columns: Columns = Columns()
    labels: list[str] | None = Field(
        default=None, min_length=2, description="in order; null: the columns, or those of the data"
    )
    label_separator: str = Field(default=";", min_length=1, description="between labels in a cell of one column")
    metric: Literal["f1_micro", "f1_macro", "exact"] = Field(
        default="f1_micro", description="what tables print and chooses the epoch"
    )


class MultiLabel(LabelledTask[Tagged, np.ndarray]):
    head = "multi_label"
    answer_key = "labels"
    Options = MultiLabelOptions

    def __init__(self, name: str, options: MultiLabelOptions) -> None:
        super().__init__(name, options)
        self.metric = options.metric  # type: ignore[misc]
        columns = options.columns.labels
        if isinstance(columns, list):
            self.labels = tuple(options.labels or columns)
            if len(self.labels) != len(columns):
                raise InputError(
                    f"task.options.labels of task.name={name} are {len(self.labels)}, and its columns {len(columns)}: "
                    "give each column a label, or remove labels."
                )

    def found_labels(self, splits: Any) -> tuple[str, ...]:
        """None where each has a column."""
        return () if isinstance(self.options.columns.labels, list) else super().found_labels(splits)

    def row_labels(self, row: Row, where: str) -> list[str]:
        """Those of a cell: a list, or a text with separators."""
        column = self.options.columns.labels
        cell = row.get(column)
        if cell is None:
            return []
        parts = cell.split(self.options.label_separator) if isinstance(cell, str) else cell
        if not isinstance(parts, list):
            raise InputError(f"{where}: {column}={fields.short(cell)} is no list of labels: correct the row.")
        return [found for part in parts if (found := label_text(part, where)) is not None]

    def examples(self, row: Row, where: str) -> list[Tagged]:
        return [Tagged((self.segments(row, where, self.options.columns),), self._labels(row, where))]

    def _labels(self, row: Row, where: str) -> tuple[int, ...] | None:
        """1 for each that holds; None where the row does not say, as in questions."""
        columns = self.options.columns.labels
        if isinstance(columns, list):
            given = [row[column] for column in columns if column in row]
            return tuple(self._holds(row, column, where) for column in columns) if given else None
        if columns not in row:
            return None
        holding = {self.index(label, where) for label in self.row_labels(row, where)}
        return tuple(int(at in holding) for at in range(len(self.labels)))

    def _holds(self, row: Row, column: str, where: str) -> int:
        found = (label_text(self.cell(row, column, where), where) or "").lower()
        if found not in (*YES, *NO):
            raise InputError(
                f"{where}: {column}={fields.short(row[column])} says neither that the label holds ({', '.join(YES)}) "
                "nor that it does not (0, false, no or nothing): correct the row."
            )
        return int(found in YES)

    def score(self, examples: Sequence[Tagged], logits: np.ndarray) -> dict[str, float]:
        """F1 over all labels of all examples, its mean over labels, and the share of examples of which all are right;
        of `logits` `[N, labels]`, a label holding above 0."""
        return label_f1(np.array([example.labels for example in examples]), (logits > 0).astype(int))

    def is_correct(self, examples: Sequence[Tagged], logits: np.ndarray) -> list[int]:
        if self.metric != "exact":
            return []
        return [
            int(example.labels == tuple(row)) for example, row in zip(examples, (logits > 0).tolist(), strict=True)
        ]

    def constant_answer(self, examples: Sequence[Tagged], logits: np.ndarray) -> str | None:
        """The labels that hold, where they are those of every example."""
        found = np.unique(logits > 0, axis=0)
        return self._said(found[0]) if len(found) == 1 else None

    def said(self, examples: Sequence[Tagged], logits: np.ndarray) -> list[Any]:
        """The labels that hold, together."""
        return [self._said(row) for row in logits > 0]

    def _said(self, holds: np.ndarray) -> str:
        return ", ".join(label for label, one in zip(self.labels, holds, strict=True) if one) or "no label"

    def format_prediction(self, example: Tagged, answer: np.ndarray) -> dict[str, Any]:
        """The labels that hold, and the probability of each."""
        shares = 1 / (1 + np.exp(-answer.astype(float)))
        return {
            "labels": [label for label, logit in zip(self.labels, answer, strict=True) if logit > 0],
            "probabilities": dict(zip(self.labels, map(float, shares), strict=True)),
            "text": example.segments[0][0],
        }
