"""Transferability's transfer as initialization: how much sooner, and how well, a prompt learns from another task's.

python -m experiments.run -m experiment=transferability/initialization profile=laptop     # train what is missing
python -m experiments.papers.transferability.initialization profile=laptop                # records -> figure
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, TwoSlopeNorm

from experiments.artefacts.figure import Point, Spot
from experiments.artefacts.heat_map import HeatMap, Shade, by_mean
from experiments.artefacts.sources import BASELINE, spots_by_source
from ptuning.analysis import cells
from ptuning.config import RunConfig
from ptuning.records import store
from ptuning.records.record import Record


@dataclass(frozen=True)
class Pace:
    """A run that starts from a prompt, against the one of its seed that does not.

    `convergence`: how many times sooner it reaches its own best dev score than the other its own; `comparable`: how
    many times sooner it reaches the other's best than the other does, None where it never does; `gain`: of the best
    score, in points of percent.
    """

    convergence: float
    comparable: float | None
    gain: float

    @classmethod
    def of(cls, record: Record, other: Record) -> Pace:
        (own_at, own_best), (at, best) = _converged(record), _converged(other)
        reached = next((epoch for epoch, score in _curve(record) if score >= best), None)
        return cls(at / own_at, None if reached is None else at / reached, own_best - best)


@dataclass(frozen=True)
class Started(Point):
    """A point with the pace of each seed; none for a run without a source, and while one of the two is missing."""

    paces: tuple[Pace, ...] = ()

    @property
    def comparable(self) -> float | None:
        """The geometric mean over seeds; None where one never gets there."""
        found = [pace.comparable for pace in self.paces]
        return statistics.geometric_mean(found) if found and None not in found else None  # type: ignore[arg-type]

    @property
    def texts(self) -> tuple[str, str, str]:
        """The comparable-result and the convergence speed-up, and the gain."""
        if not self.paces:
            return "", "", ""
        never = sum(pace.comparable is None for pace in self.paces)
        comparable = f"×{self.comparable:.1f}" if self.comparable else f"never ({never}/{len(self.paces)})"
        convergence = statistics.geometric_mean(pace.convergence for pace in self.paces)
        return comparable, f"×{convergence:.1f}", f"{statistics.fmean(pace.gain for pace in self.paces):+.1f}"


class Initialization(HeatMap):
    """A heat map a backbone."""

    experiment = "transferability/initialization"
    title = "Transferability: prompts that start from another task's"
    caption = (
        "How many times sooner a target task (columns) reaches the best score of a prompt that starts from words of "
        "the vocabulary, when it starts from a source task's prompt (rows), and what its own best score gains, in "
        "points (Transferability, transfer as initialization: comparable-result speed-up)."
    )
    value = "speed-up"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return spots_by_source(runs)

    def points(self, runs: Sequence[RunConfig]) -> list[Point]:
        groups = self.groups(runs)
        plain = {
            (spot.panel, spot.series, run.seed): run
            for spot, group in groups.items()
            if spot.label == BASELINE
            for run in group
        }
        return [
            Started(
                spot, cells.cell(group, self.rule), paces=() if spot.label == BASELINE else _paces(spot, group, plain)
            )
            for spot, group in groups.items()
        ]

    def shades(self, points: Sequence[Point]) -> dict[tuple[str, str], Shade]:
        found = {}
        for point in points:
            if isinstance(point, Started) and point.paces:
                comparable, _, gain = point.texts
                value = math.nan if point.comparable is None else math.log2(point.comparable)
                found[point.spot.label, point.spot.series] = Shade(value, f"{comparable}\n{gain}")
        return found

    def order(self, shades: Mapping[tuple[str, str], Shade]) -> tuple[list[str], list[str]]:
        """Those that are soonest first."""
        return by_mean(shades, 0), by_mean(shades, 1)

    def scale(self, values: np.ndarray) -> Normalize:
        known = values[~np.isnan(values)]
        far = max(1.0, float(np.abs(known).max(initial=0)))
        return TwoSlopeNorm(0, -far, far)

    def frame(self, points: Sequence[Point]) -> pd.DataFrame:
        frame = super().frame(points)
        texts = [point.texts if isinstance(point, Started) else ("", "", "") for point in points]
        for at, column in enumerate((self.value, "convergence", "gain")):
            frame[column] = [one[at] for one in texts]
        return frame

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        return [
            *super().notes(runs),
            "Speed-up: the time at which a prompt that starts from the vocabulary's words has its best dev score, "
            "over the time at which this one has as much (`never` where it does not in some seeds); convergence: over "
            "the time of its own best. Geometric means over seeds; a time is that of an evaluation, so that a prompt "
            "that is there from the start counts from the first. A source that is the target itself learns on.",
        ]


def _paces(
    spot: Spot, group: Sequence[RunConfig], plain: Mapping[tuple[str, str, int], RunConfig]
) -> tuple[Pace, ...]:
    """Of each seed; none where a record is missing or its run diverged."""
    found = []
    for run in group:
        other = plain.get((spot.panel, spot.series, run.seed))
        records = [None if one is None else store.find(one) for one in (run, other)]
        if any(one is None or one["status"] == "diverged" for one in records):
            return ()
        found.append(Pace.of(*records))  # type: ignore[arg-type]
    return tuple(found)


def _curve(record: Record) -> list[tuple[float, float]]:
    """Its dev scores, with the epoch, or the part of one, after which it had them."""
    return [(line["epoch"], line["dev"][record["metric"]]) for line in record["history"]]


def _converged(record: Record) -> tuple[float, float]:
    """When it had its best dev score first, and that."""
    curve = _curve(record)
    best = max(score for _, score in curve)
    return next(epoch for epoch, score in curve if score == best), best


FIGURE = Initialization()

if __name__ == "__main__":
    FIGURE.main()
