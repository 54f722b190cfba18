"""A number for a text, or for a pair of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.correlation import pearson, spearman
from ptuning.tasks.custom.base import Column, CustomOptions, CustomTask, TextColumns
from ptuning.tasks.kinds.examples import Rating


class Columns(TextColumns):
    score: Column = Field(default="score", description="the number, which may be negative")


class RegressionOptions(CustomOptions):
    columns: Columns = Columns()
    metric: Literal["pearson", "spearman"] = Field(
        default="pearson", description="what tables print and chooses the epoch"
    )


class Regression(CustomTask[Rating, np.ndarray]):
    head = "regression"
    answer_key = "score"
    Options = RegressionOptions

    def __init__(self, name: str, options: RegressionOptions) -> None:
        super().__init__(name, options)
        self.metric = options.metric  # type: ignore[misc]

    def examples(self, row: Row, where: str) -> list[Rating]:
        return [Rating((self.segments(row, where, self.options.columns),), self._score(row, where))]

    def _score(self, row: Row, where: str) -> float | None:
        """None for a cell that is empty, or not there."""
        column = self.options.columns.score
        cell = row.get(column)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        try:
            found = math.nan if isinstance(cell, bool) else float(cell)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found):
            raise InputError(f"{where}: {column}={fields.short(cell)} is not a number: correct it, or remove the row.")
        return found

    def score(self, examples: Sequence[Rating], answers: np.ndarray) -> dict[str, float]:
        """Correlations of `answers` `[N]`, 0 where all answers are the same."""
        golds = [example.score for example in examples]
        return {"pearson": pearson(golds, answers), "spearman": spearman(golds, answers)}  # type: ignore[arg-type]

    def constant_answer(self, examples: Sequence[Rating], answers: np.ndarray) -> str | None:
        """The number, where all are equal but for rounding."""
        return f"{answers[0]:.2f}" if np.allclose(answers, answers[0]) else None

    def format_prediction(self, example: Rating, answer: np.ndarray) -> dict[str, Any]:
        first, second = example.segments[0]
        return {"score": float(answer), "text": second or first}
