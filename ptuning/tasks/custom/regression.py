"""A number for a text, or for a pair of texts."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.custom.base import Column, CustomOptions, CustomTask, TextColumns
from ptuning.tasks.kinds.examples import Rating
from ptuning.tasks.kinds.ratings import RatingTask


class Columns(TextColumns):
    score: Column = Field(default="score", description="the number, which may be negative")


class RegressionOptions(CustomOptions):
    columns: Columns = Columns()
    metric: Literal["pearson", "spearman"] = Field(
        default="pearson", description="what tables print and chooses the epoch"
    )


class Regression(CustomTask[Rating, np.ndarray], RatingTask):
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
