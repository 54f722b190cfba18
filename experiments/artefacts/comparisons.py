"""Figures that compare two ways of doing one thing: runs that differ in one key alone, paired by seed.

A comparison is a key and two of its values; which runs can be paired shows in their configs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from experiments.artefacts import canvas, methods, style
from experiments.artefacts.artefact import Artefact, Output
from experiments.artefacts.figure import about
from experiments.artefacts.sidecar import Place
from ptuning.analysis import cells, comparisons, rendering
from ptuning.analysis.cells import Cell
from ptuning.analysis.comparisons import Difference
from ptuning.config import RunConfig
from ptuning.errors import InputError

DIFFERENCE = "second - first [95 %]"


@dataclass(frozen=True)
class Comparison:
    """What `key` does at its `second` value, against the `first`. `words` name both."""

    key: str
    first: Any
    second: Any
    words: tuple[str, str]


@dataclass(frozen=True)
class Line:
    """One comparison on one task, and the cells of both sides."""

    words: tuple[str, str]
    where: str
    first: Cell
    second: Cell
    difference: Difference


class Comparisons(Artefact):
    """Differences with their intervals, a line each."""

    kind = "figures"
    comparisons: ClassVar[Sequence[Comparison]]

    def lines(self, runs: Sequence[RunConfig]) -> list[Line]:
        """One line a pair. Raises InputError where nothing can be compared, and where lines cannot be told apart."""
        lines = [
            Line(
                one.words,
                f"{pair.first[0].task.name}, {pair.first[0].backbone.name}, {methods.label(pair.first[0])}",
                cells.cell(pair.first, self.rule),
                cells.cell(pair.second, self.rule),
                comparisons.difference(pair.first, pair.second, self.rule),
            )
            for one in self.comparisons
            for pair in comparisons.pairs(runs, one.key, one.first, one.second)
        ]
        if not lines:
            wanted = "; ".join(f"{one.key}={one.first},{one.second}" for one in self.comparisons)
            raise InputError(f"{self.name}: no runs differ in one key alone: sweep {wanted}.")
        if len({(line.words, line.where) for line in lines}) < len(lines):
            raise InputError(
                f"{self.name}: {lines[0].where} stands in several lines: sweep no key besides those compared."
            )
        return lines

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        lines = self.lines(runs)
        frame, notes = self.frame(lines), self.notes(lines)
        with style.styled():
            drawn = canvas.rendered(self.draw(lines, stem))
        places = [place for row, line in enumerate(lines) for place in _places(line, row)]
        text = rendering.markdown(frame, [self.caption, *notes])
        return Output(text, {"md": text, "csv": self.long_form(lines), **drawn}, [frame], places, notes)

    def frame(self, lines: Sequence[Line]) -> pd.DataFrame:
        columns = ["from", "to", "task and method", "first", "second", DIFFERENCE, "pairs"]
        rows = [
            [*line.words, line.where, line.first.marked, line.second.marked, line.difference.text,
             str(len(line.difference.by_seed))]
            for line in lines
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def long_form(self, lines: Sequence[Line]) -> str:
        """Every pair as a line of CSV."""
        rows = [
            {"from": line.words[0], "to": line.words[1], "where": line.where, "seed": seed, "difference": gap}
            for line in lines
            for seed, gap in line.difference.by_seed.items()
        ]
        columns = ["from", "to", "where", "seed", "difference"]
        return pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.6g")

    def notes(self, lines: Sequence[Line]) -> list[str]:
        compared = sum(line.difference.interval is not None for line in lines)
        sides = [(line.where, cell) for line in lines for cell in (line.first, line.second)]
        return [
            *about(sides, self.rule),
            "Differences are paired by seed (small points: single pairs); in brackets the 95 % interval of Student's "
            "t over the pairs, which knows how seeds vary, not how dev sets do. `(3 alike)`: all pairs differ by the "
            "same, as few dev examples can make them; `(1/3)`: pairs are missing; neither has an interval (hollow "
            "marks).",
            f"Intervals shown: {compared}, not corrected for their number; about one in twenty misses 0 by chance.",
        ]

    def draw(self, lines: Sequence[Line], stem: str) -> Any:
        figure, (axes,) = canvas.panels(1, width=7.2, height=0.5 + 0.42 * max(1, len(lines)))
        look = style.LOOKS[0]
        axes.axvline(0, color=style.INK, linewidth=0.8)
        names = []
        for row, line in enumerate(lines):
            names.append(f"{line.words[0]} → {line.words[1]}\n{line.where}")
            _draw(axes, row, line.difference, look, stem)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -5), max(high, 5))
        axes.set(title=self.title, xlabel="difference in the dev score (points of percent)")
        return figure


def _places(line: Line, row: int) -> list[Place]:
    """Both sides, and their difference."""
    keys = {"task and method": line.where, "compared": " → ".join(line.words)}
    sides = (line.first, line.second)
    return [
        *(
            Place.of([cell], keys | {"number": of}, row, of)
            for cell, of in zip(sides, ("first", "second"), strict=True)
        ),
        Place.of(sides, keys | {"number": "difference"}, row, DIFFERENCE, line.difference.text),
    ]


def _draw(axes: Any, row: int, difference: Difference, look: style.Look, stem: str) -> None:
    if difference.mean is None:
        return
    if difference.interval is not None:
        axes.plot(difference.interval, [row, row], color=look.color, linewidth=1.5, solid_capstyle="butt")
    if len(difference.by_seed) > 1:
        gaps = list(difference.by_seed.values())
        axes.plot(gaps, [row + 0.2] * len(gaps), "o", color=look.color, alpha=0.35, markersize=3.5)
    face = look.color if difference.interval is not None else style.PAPER
    axes.plot([difference.mean], [row], marker=look.marker, color=look.color, markerfacecolor=face)
    canvas.link(axes, difference.mean, row, stem, 3 * row + 2)
