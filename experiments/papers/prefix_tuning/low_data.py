"""What the low-data figures share: scores against how many rows there are to learn from, over subsets of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from experiments.artefacts.figure import Figure, Point, Spot
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name


class LowData(Figure):
    """A panel a task and backbone. Runs that differ in their subset of the rows, or their seed, are one point."""

    x = "training examples"

    @abstractmethod
    def series_of(self, run: RunConfig) -> str:
        """What the line of a run is called."""

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [(self._spot(run), run) for run in runs]

    def _spot(self, run: RunConfig) -> Spot:
        rows = run.data.train_rows
        if rows is None:
            raise InputError(f"{run_name(run)} learns from all rows, so it has no place in {self.name}: leave it out.")
        return Spot(f"{run.task.name}, {run.backbone.name}", self.series_of(run), rows, str(rows))

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log")
        super().axis(axes, points)
