"""How a run went, epoch by epoch: drawings small enough that every run of a page can have its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.artefacts.facts import Point
from ptuning.records.record import short

LEFT, RIGHT, TOP, BOTTOM = 44, 270, 30, 88  # where the outermost points are


@dataclass(frozen=True)
class Curve:
    """A number of a run by epoch; `chosen` is the epoch by which the run is reported, where the drawing marks it."""

    title: str
    epochs: Sequence[float]
    values: Sequence[float]
    digits: int
    chosen: float | None = None

    @property
    def points(self) -> list[tuple[float, float]]:
        """Where each epoch's number stands in the drawing."""
        across = _spread(self.epochs, LEFT, RIGHT)
        return list(zip(across, _spread(self.values, BOTTOM, TOP), strict=True))

    @property
    def marked(self) -> tuple[float, float] | None:
        return None if self.chosen is None else self.points[self.epochs.index(self.chosen)]

    @property
    def ticks(self) -> dict[float, str]:
        """The highest and the lowest number, by the height at which they stand."""
        heights = [height for _, height in self.points]
        return {min(heights): self._shown(max(self.values)), max(heights): self._shown(min(self.values))}

    @property
    def words(self) -> str:
        """The drawing for those who do not see it."""
        pairs = zip(self.epochs, self.values, strict=True)
        said = (self._shown(value) + (" (chosen)" if epoch == self.chosen else "") for epoch, value in pairs)
        return f"{self.title}, epochs {self.ends[0]} to {self.ends[1]}: {', '.join(said)}"

    @property
    def ends(self) -> tuple[str, str]:
        """The first and the last epoch."""
        return short(self.epochs[0]), short(self.epochs[-1])

    def _shown(self, value: float) -> str:
        return f"{value:.{self.digits}f}"


def drawn(points: Sequence[Point], metric: str) -> list[Curve]:
    """The metric that chooses the epoch, and the training loss where the record has it."""
    epochs = [point.epoch for point in points]
    chosen = next((point.epoch for point in points if point.chosen), None)
    losses = {point.epoch: point.loss for point in points if not math.isnan(point.loss)}
    curves = [
        Curve(f"dev {metric}", epochs, [point.dev for point in points], 1, chosen),
        Curve("training loss", list(losses), list(losses.values()), 3),
    ]
    return [curve for curve in curves if curve.epochs]


def _spread(values: Sequence[float], start: int, end: int) -> list[float]:
    """`values` laid between `start` and `end`; in the middle where they are all the same."""
    low, high = min(values), max(values)
    if low == high:
        return [(start + end) / 2] * len(values)
    return [round(start + (value - low) / (high - low) * (end - start), 1) for value in values]
