"""One of a few labels, of a text or of a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from ptuning.errors import InputError
from ptuning.formats.rows import Row
from ptuning.metrics.classification import accuracy, binary_f1, macro_f1, matthews
from ptuning.tasks.custom.base import Column, CustomOptions, LabelledTask, TextColumns, label_text
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import Example

OF_TWO = ("f1", "matthews")  # metrics of two labels, of which the second counts as found


class Columns(TextColumns):
    label: Column = Field(default="label", description="the label")


class ClassificationOptions(CustomOptions):
    columns: Columns = Columns()
    labels: list[str] | None = Field(default=None, min_length=2, description="in order; null: those of the data")
    metric: Literal["accuracy", "f1_macro", "f1", "matthews"] = Field(
        default="accuracy", description="what tables print and chooses the epoch; f1 and matthews: of two labels"
    )


class Classification(LabelledTask[Example, np.ndarray], AccuracyTask):
    head = "classification"
    Options = ClassificationOptions

    def __init__(self, name: str, options: ClassificationOptions) -> None:
        super().__init__(name, options)
        self.metric = options.metric  # type: ignore[misc]

    def row_labels(self, row: Row, where: str) -> list[str]:
        found = label_text(row.get(self.options.columns.label), where)
        return [] if found is None else [found]

    def with_labels(self, labels: Sequence[str]) -> Classification:
        """Raises InputError for a metric of two labels where there are others."""
        if self.metric in OF_TWO and len(labels) != 2:
            raise InputError(
                f"task.options.metric={self.metric} is of two labels, and task.name={self.name} has {len(labels)}: "
                "choose accuracy or f1_macro."
            )
        return super().with_labels(labels)

    def examples(self, row: Row, where: str) -> list[Example]:
        found = self.row_labels(row, where)
        label = self.index(found[0], where) if found else -1
        segments = self.segments(row, where, self.options.columns)
        return [Example((segments,), label, fields=self.named_texts(row))]

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        """Accuracy and the macro F1; of two labels the F1 of the second and Matthews' correlation too."""
        labels, found = [example.label for example in examples], logits.argmax(axis=-1)
        scores = {"accuracy": accuracy(labels, found), "f1_macro": macro_f1(labels, found, len(self.labels))}
        if len(self.labels) == 2:
            scores |= {"f1": binary_f1(labels, found), "matthews": matthews(labels, found)}
        return scores

    def is_correct(self, examples: Sequence[Example], logits: np.ndarray) -> list[int]:
        return super().is_correct(examples, logits) if self.metric == "accuracy" else []
