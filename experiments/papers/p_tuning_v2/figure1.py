"""Figure 1 of P-Tuning v2: the average of RTE, BoolQ and CB against the size of the backbone.

    python -m experiments.run -m experiment=p_tuning_v2/figure1 profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning_v2.figure1 profile=laptop                       # records -> figure

The paper's points are averages of its Table 2, other backbones; ours come from records alone.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from experiments.artefacts import methods, published
from experiments.artefacts.figure import Figure, Point, Spot, backbone_sizes
from experiments.artefacts.style import Look
from experiments.papers.p_tuning_v2.table2 import TABLE
from ptuning.analysis import cells
from ptuning.analysis.cells import Cell, average
from ptuning.config import RunConfig
from ptuning.errors import InputError

TASKS = {"boolq": "BoolQ acc", "cb": "CB acc", "rte": "RTE acc"}  # and what the published file calls them
PANEL = "Average of BoolQ, CB and RTE"
PAPER = " (paper)"  # after a method, where its series is the paper's


class Size(Figure):
    experiment = "p_tuning_v2/figure1"
    title = "Figure 1: size of the backbone"
    caption = (
        "Average of BoolQ, CB and RTE against the backbone's size (P-Tuning v2, Figure 1). The paper's points are "
        "averages of its Table 2 (BERT-large, RoBERTa-large, GLM-xlarge, GLM-xxlarge). "
        "Our backbones, tasks and methods differ in their epochs and data too, as the notes say."
    )
    x = "backbone"
    width = 6.0

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        found = {run.task.name for run in runs}
        if runs and found != set(TASKS):
            raise InputError(
                f"task={','.join(sorted(found))} is refused: figure1 averages {', '.join(TASKS)}, all three."
            )
        sizes = backbone_sizes(runs)
        return [
            (Spot(PANEL, methods.label(run), sizes.get(run.backbone.name, math.nan), run.backbone.name), run)
            for run in runs
        ]

    def series(self, points: Sequence[Point]) -> dict[str, Look]:
        names = dict.fromkeys(point.spot.series for point in points)
        ours = methods.looks(name for name in names if not name.endswith(PAPER))
        papers = methods.looks(name.removesuffix(PAPER) for name in names if name.endswith(PAPER))
        return ours | {name + PAPER: replace(look, hollow=True) for name, look in papers.items()}

    def points(self, runs: Sequence[RunConfig]) -> list[Point]:
        ours = [Point(spot, average(list(cells.values()))) for spot, cells in self._cells(runs).items()]
        return ours + _published()

    def _cells(self, runs: Sequence[RunConfig]) -> dict[Spot, dict[str, Cell]]:
        """The cells of each task that a point averages."""
        groups: dict[Spot, dict[str, list[RunConfig]]] = {}
        for spot, run in self.spots(runs):
            groups.setdefault(spot, {}).setdefault(run.task.name, []).append(run)
        return {
            spot: {task: cells.cell(group, self.rule) for task, group in tasks.items()}
            for spot, tasks in groups.items()
        }

    def behind(self, runs: Sequence[RunConfig]) -> list[tuple[str, Cell]]:
        return [
            (f"{task}, {spot.series} on {spot.label}", cell)
            for spot, cells in self._cells(runs).items()
            for task, cell in cells.items()
        ]

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        return [*super().notes(runs), published.MARKS]

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log")
        axes.set_xlabel("parameters of the backbone")
        axes.xaxis.set_major_formatter(lambda size, _: f"{size / 1e9:g}B" if size >= 1e9 else f"{size / 1e6:g}M")


def _published() -> list[Point]:
    """The paper's averages, marked by the least sure of the three numbers."""
    values = [value for value in published.read(TABLE.experiment) if published.column(value) in TASKS.values()]
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for value in values:
        groups.setdefault((value["model"], value["method"]), []).append(value)
    return [_point(model, method, three) for (model, method), three in groups.items() if len(three) == len(TASKS)]


def _point(model: str, method: str, values: Sequence[dict[str, str]]) -> Point:
    number, unit = re.search(r"([\d.]+)([MB])$", model).groups()  # type: ignore[union-attr]  # a test reads all of them
    spot = Spot(PANEL, method + PAPER, float(number) * {"M": 1e6, "B": 1e9}[unit], model)
    sure = list(published.CONFIDENCE)
    least = max((value["confidence"] for value in values), key=sure.index)
    mean = statistics.fmean(float(value["value"]) for value in values)
    return Point(spot, cells.published_cell(mean), published.CONFIDENCE[least])


FIGURE = Size()

if __name__ == "__main__":
    FIGURE.main()
