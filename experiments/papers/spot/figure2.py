"""Figure 2 of SPoT: which task's prompt helps which other task.

python -m experiments.run -m experiment=spot/figure2 profile=laptop     # train what is missing, source prompts first
python -m experiments.papers.spot.figure2 profile=laptop                # records -> figure
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.colors import Normalize, TwoSlopeNorm

from experiments.artefacts import published
from experiments.artefacts.figure import Point, Spot
from experiments.artefacts.heat_map import HeatMap, Shade, by_mean
from experiments.artefacts.sources import BASELINE, spots_by_source
from ptuning.analysis import cells
from ptuning.config import RunConfig

PAPERS_BASELINE, PAPERS_SEEDS = "BASELINE", 3


@dataclass(frozen=True)
class Gain:
    """Of a source's prompt over none, in points of percent, and its standard error: seeds count as independent."""

    mean: float
    error: float | None

    @property
    def text(self) -> str:
        return f"{self.mean:+.1f}" + ("" if self.error is None else f"\n±{self.error:.1f}")


class Transfer(HeatMap):
    """A heat map a backbone, the paper's beside ours."""

    experiment = "spot/figure2"
    title = "SPoT, Figure 2: which task's prompt helps which"
    caption = (
        "What a target task (columns) gains from starting at a source task's prompt (rows), over starting from the "
        "vocabulary's words (SPoT, Figure 2 and Table 6). Rows and columns are in order of their mean gain."
    )
    value = "gain"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return spots_by_source(runs)

    def points(self, runs: Sequence[RunConfig]) -> list[Point]:
        return [*super().points(runs), *_published()]

    def gains(self, points: Sequence[Point]) -> dict[tuple[str, str], Gain]:
        """Of points of one panel, by source and target, where both it and its target's baseline are there."""
        base = {p.spot.series: p for p in points if p.spot.label == BASELINE}
        found = {}
        for point in points:
            own, other = point.cell, base.get(point.spot.series)
            if point.spot.label == BASELINE or other is None or own.mean is None or other.cell.mean is None:
                continue
            found[point.spot.label, point.spot.series] = Gain(
                own.mean - other.cell.mean, _error(_spread(point), _spread(other))
            )
        return found

    def shades(self, points: Sequence[Point]) -> dict[tuple[str, str], Shade]:
        return {key: Shade(gain.mean, gain.text) for key, gain in self.gains(points).items()}

    def order(self, shades: Mapping[tuple[str, str], Shade]) -> tuple[list[str], list[str]]:
        """Those that gain most first."""
        return by_mean(shades, 0), by_mean(shades, 1)

    def scale(self, values: np.ndarray) -> Normalize:
        far = max(1.0, float(np.nanmax(np.abs(values), initial=0)))
        return TwoSlopeNorm(0, -far, far)

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        return [
            *super().notes(runs),
            "Gain: the mean score less that of the target's own baseline, in points; ±: its standard error, seeds "
            "taken as independent, none for a single seed.",
            "The paper's are T5 base's, from its Table 6, in each task's own metric; flan_t5_small saw most of these "
            "tasks before.",
        ]


def _error(*spreads: tuple[float, int] | None) -> float | None:
    """Standard error of the difference of two means, each of so many runs with that sample standard deviation."""
    known = [one for one in spreads if one is not None]
    return math.sqrt(sum(std**2 / runs for std, runs in known)) if len(known) == len(spreads) else None


def _spread(point: Point) -> tuple[float, int] | None:
    """The sample standard deviation of a point's runs, and how many there are; the paper's from its table."""
    if not point.ours:
        return _papers_spreads()[point.spot.label, point.spot.series], PAPERS_SEEDS
    return None if point.cell.spread is None else (point.cell.spread, point.cell.expected)


@cache
def _papers_spreads() -> dict[tuple[str, str], float]:
    return {
        (_papers_source(value), value["task"]): float(value["std"]) for value in published.read(Transfer.experiment)
    }


def _papers_source(value: published.Value) -> str:
    return BASELINE if value["method"] == PAPERS_BASELINE else value["method"]


def _published() -> list[Point]:
    """The paper's Table 6, whole."""
    return [_point(value) for value in published.read(Transfer.experiment)]


def _point(value: published.Value) -> Point:
    spot = Spot(f"{value['model']} (paper)", value["task"], 0, _papers_source(value))
    cell = cells.published_cell(float(value["value"]))
    return Point(spot, cell, published.CONFIDENCE[value["confidence"]])


FIGURE = Transfer()

if __name__ == "__main__":
    FIGURE.main()
