"""Figures of scores against something: points from records, series and panels, and the data behind them as a table.

A figure is one small file of experiments/papers/<paper>/ or experiments/ablations/: where a run's point stands, and
how the axes are called.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from experiments.artefacts import canvas, methods, style
from experiments.artefacts.artefact import Artefact, Output
from experiments.artefacts.sidecar import Place
from experiments.artefacts.style import Look
from ptuning.analysis import cells, rendering
from ptuning.analysis.cells import Cell, capped_note, constant_note
from ptuning.config import RunConfig
from ptuning.records import store

SPAN = 10  # points of percent that a y axis spans at least


@dataclass(frozen=True)
class Spot:
    """Where a run's score is drawn. `x` is math.nan (itself: spots must compare equal) where only a record could tell
    and there is none; `label` is what it is called in words (`4-6`). Runs of one spot differ in their seeds alone.
    """

    panel: str
    series: str
    x: float
    label: str


@dataclass(frozen=True)
class Point:
    """A score, and the runs behind it: none where it is a paper's. Those come after ours, with a mark that says how
    sure the number is."""

    spot: Spot
    cell: Cell
    mark: str = ""

    @property
    def ours(self) -> bool:
        return bool(self.cell.records or self.cell.missing)


class Figure(Artefact):
    """Scores against `x`, a panel each for what `Spot.panel` says."""

    kind = "figures"
    x: ClassVar[str]  # what the axis, and the column, is called
    width: ClassVar[float] = 3.6  # of a panel, inches

    @abstractmethod
    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        """Where each run is drawn, once or more. Raises InputError for a run that has no place."""

    def series(self, points: Sequence[Point]) -> Mapping[str, Look]:
        """How each series is drawn, in the legend's order: of methods, as their files say."""
        return methods.looks(dict.fromkeys(point.spot.series for point in points))

    def is_line(self, points: Sequence[Point]) -> bool:
        """Whether these, a series in a panel, are joined."""
        return True

    def points(self, runs: Sequence[RunConfig]) -> list[Point]:
        """One point a spot, over its seeds."""
        return [Point(spot, cells.cell(group, self.rule)) for spot, group in self.groups(runs).items()]

    def groups(self, runs: Sequence[RunConfig]) -> dict[Spot, list[RunConfig]]:
        """The runs of each spot, its seeds."""
        found: dict[Spot, list[RunConfig]] = {}
        for spot, run in self.spots(runs):
            found.setdefault(spot, []).append(run)
        return found

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        return self.output(self.points(runs), self.notes(runs), self.unit(runs), stem)

    def output(self, points: Sequence[Point], notes: Sequence[str], unit: Mapping[str, str], stem: str) -> Output:
        """The figure of these points; `unit` is as of the method of that name."""
        frame = self.frame(points)
        with style.styled():
            drawn = canvas.rendered(self.draw(points, stem, unit))
        text = rendering.markdown(frame, [self.caption, *notes])
        places = [
            Place.of([p.cell], {"panel": p.spot.panel, "series": p.spot.series, self.x: p.spot.label}, row, "score")
            for row, p in enumerate(points)
            if p.ours
        ]
        return Output(text, {"md": text, "csv": self.long_form(points), **drawn}, [frame], places, notes)

    def frame(self, points: Sequence[Point]) -> pd.DataFrame:
        """The data behind the drawing, a row a point."""
        columns = ["", "series", self.x, "score", "runs"]
        rows = [
            [
                p.spot.panel,
                p.spot.series,
                p.spot.label,
                p.cell.marked + p.mark,
                str(len(p.cell.records)) if p.ours else "--",
            ]
            for p in points
        ]
        return pd.DataFrame(rows, columns=columns)

    def long_form(self, points: Sequence[Point]) -> str:
        """Every score of every point as a line of CSV."""
        rows = [
            {"panel": p.spot.panel, "series": p.spot.series, self.x: p.spot.label, "at": p.spot.x, "score": score}
            for p in points
            for score in p.cell.scores
        ]
        columns = ["panel", "series", self.x, "at", "score"]
        return pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.6g")

    def behind(self, runs: Sequence[RunConfig]) -> list[tuple[str, Cell]]:
        """The cells of one task each that the points are made of, with what they are of."""
        return [(f"{p.spot.panel.partition(',')[0]}, {p.spot.series}", p.cell) for p in self.points(runs) if p.ours]

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        several = "Small points: single seeds; ± is their sample standard deviation."
        behind = self.behind(runs)
        return [*about(behind, self.rule), *([several] if any(cell.expected > 1 for _, cell in behind) else [])]

    def draw(self, points: Sequence[Point], stem: str, unit: Mapping[str, str]) -> Any:
        looks, names = self.series(points), list(dict.fromkeys(p.spot.panel for p in points))
        figure, axes = canvas.panels(len(names), width=self.width)
        for one, name in zip(axes, names, strict=True):
            one.set(title=name, xlabel=self.x, ylabel=unit.get(name, "score (%)"))
            self.panel(one, [(i, p) for i, p in enumerate(points) if p.spot.panel == name], looks, stem)
        handles = {h: label for one in axes for h, label in zip(*one.get_legend_handles_labels(), strict=True)}
        first = {label: handle for handle, label in reversed(handles.items())}
        shown = [label for label in looks if label in first]
        figure.legend([first[label] for label in shown], shown, loc="outside lower center", ncols=min(3, len(shown)))
        return figure

    def panel(self, axes: Any, points: Sequence[tuple[int, Point]], looks: Mapping[str, Look], stem: str) -> None:
        """Seeds as faint points, their mean as a marker that leads to its records."""
        for series, look in looks.items():
            mine = _in_order([(i, p) for i, p in points if p.spot.series == series])
            if all(p.cell.mean is None for _, p in mine):
                continue
            at = [p.spot.x for _, p in mine]
            means = [math.nan if p.cell.mean is None else p.cell.mean for _, p in mine]  # a gap breaks the line
            line = look.line if self.is_line([p for _, p in mine]) else ""
            axes.plot(at, means, color=look.color, linestyle=line, marker=look.marker, markerfacecolor=look.face,
                      label=series)  # fmt: skip
            for i, p in mine:
                if p.ours and p.cell.mean is not None:
                    canvas.link(axes, p.spot.x, p.cell.mean, stem, i)
                    seeds(axes, p.spot.x, p.cell, look)
        self.axis(axes, [p for _, p in points])
        at_least(axes, SPAN)

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        """Ticks, scale and words of a panel's x axis."""
        named = {point.spot.x: point.spot.label for point in points if not math.isnan(point.spot.x)}
        axes.set_xticks(list(named), list(named.values()))
        axes.minorticks_off()

    def unit(self, runs: Sequence[RunConfig]) -> dict[str, str]:
        """What the y axis of each panel is called, as far as records tell."""
        found: dict[str, str] = {}
        for spot, run in self.spots(runs):
            if spot.panel not in found and (record := store.find(run)) is not None:
                found[spot.panel] = f"dev {record['metric']} (%)"
        return found


def backbone_sizes(runs: Sequence[RunConfig]) -> dict[str, int]:
    """Parameters of the backbones that have records: with the fewest that a method added."""
    sizes: dict[str, int] = {}
    for run in runs:
        record = store.find(run)
        if record is not None:
            found = record["parameters"]["total"]
            sizes[run.backbone.name] = min(found, sizes.get(run.backbone.name, found))
    return sizes


def _in_order(points: Sequence[tuple[int, Point]]) -> list[tuple[int, Point]]:
    """From left to right; as the sweep has them where one does not say where it stands."""
    if any(math.isnan(p.spot.x) for _, p in points):
        return list(points)
    return sorted(points, key=lambda one: one[1].spot.x)


def at_least(axes: Any, span: float) -> None:
    """Let the y axis span so many points at least: a dev example or two must not look like a finding."""
    low, high = axes.get_ylim()
    if high - low < span:
        middle = (low + high) / 2
        axes.set_ylim(middle - span / 2, middle + span / 2)


def seeds(axes: Any, x: float, cell: Cell, look: Look) -> None:
    """The single runs behind a mean, where there is more than one."""
    if len(cell.scores) > 1:
        axes.plot([x] * len(cell.scores), cell.scores, look.marker, color=look.color, alpha=0.35, markersize=3.5)


def about(cells: Sequence[tuple[str, Cell]], rule: str) -> list[str]:
    """What stands behind a figure's cells, each with what it is of: runs, epochs, data, and the rule."""
    behind = {name for _, cell in cells for name in cell.records}
    missing = {name for _, cell in cells for name in cell.missing}
    diverged = sum(cell.diverged for _, cell in cells)
    seeds = " or ".join(str(number) for number in sorted({cell.expected for _, cell in cells}))
    lines = [
        f"Runs: {len(behind)}, {seeds} a cell (seeds)"
        + (f"; missing: {len(missing)}" if missing else "")
        + (f"; diverged: {diverged}" if diverged else "")
        + f". Epoch chosen by {rule}, of {_epochs(cells)}."
    ]
    if any(cell.source == "miniature" for _, cell in cells):
        lines.append("† a generated miniature of the task, not the real data.")
    capped = capped_note([(of.partition(",")[0], cell) for of, cell in cells])
    return [*lines, *capped, *constant_note(cell for _, cell in cells)]


def _epochs(cells: Sequence[tuple[str, Cell]]) -> str:
    """`4 epochs`, or those of each: `10 (cb, PT) or 5 (wnut17, PT)`."""
    used: dict[int, dict[str, None]] = {}
    for of, cell in cells:
        if cell.records:
            used.setdefault(cell.epochs, {})[of] = None
    if len(used) < 2:
        return f"{next(iter(used), 0)} epochs"
    return ", ".join(f"{epochs} ({'; '.join(where)})" for epochs, where in sorted(used.items())) + " epochs"
