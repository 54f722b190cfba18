"""Figures of a value for each pair of a row and a column, such as a source task and a target task, printed in its
colour: a panel each for what `Spot.panel` says, `Spot.label` being the row and `Spot.series` the column.

Colours are told apart by those who cannot tell some apart, and in greyscale where they go one way.
"""

from __future__ import annotations

import math
import statistics
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from experiments.artefacts import canvas
from experiments.artefacts.figure import Figure, Point

PLACE = 0.62, 0.42  # inches: width and height of a place
DIVERGING, ONE_WAY = "PuOr", "cividis"  # orange below, purple above; from dark to light


@dataclass(frozen=True)
class Shade:
    """What stands at a place: what it is coloured by, and in words."""

    value: float
    text: str


class HeatMap(Figure):
    x = "source"
    value: ClassVar[str]  # what the column of the shades is called
    colors: ClassVar[str] = DIVERGING

    @abstractmethod
    def shades(self, points: Sequence[Point]) -> Mapping[tuple[str, str], Shade]:
        """Of points of one panel, by row and column; those that have none are left blank."""

    @abstractmethod
    def order(self, shades: Mapping[tuple[str, str], Shade]) -> tuple[list[str], list[str]]:
        """The rows from above, and the columns from the left."""

    @abstractmethod
    def scale(self, values: np.ndarray) -> Normalize:
        """Where the values `[rows, columns]` of a panel, nan where there is none, stand among the colours."""

    def frame(self, points: Sequence[Point]) -> pd.DataFrame:
        frame = super().frame(points)
        shades = {
            (panel, *key): shade
            for panel in dict.fromkeys(p.spot.panel for p in points)
            for key, shade in self.shades([p for p in points if p.spot.panel == panel]).items()
        }
        of_points = [shades.get((p.spot.panel, p.spot.label, p.spot.series)) for p in points]
        frame[self.value] = ["" if shade is None else shade.text.replace("\n", " ") for shade in of_points]
        return frame.rename(columns={"series": "target"})

    def draw(self, points: Sequence[Point], stem: str, unit: Mapping[str, str]) -> Any:
        names = list(dict.fromkeys(p.spot.panel for p in points))
        panels = [[(i, p) for i, p in enumerate(points) if p.spot.panel == name] for name in names]
        shapes = [self.order(self.shades([p for _, p in panel])) for panel in panels]
        width = max((len(columns) for _, columns in shapes), default=1) * PLACE[0] + 1.8
        height = max((len(rows) for rows, _ in shapes), default=1) * PLACE[1] + 1.6
        figure, axes = canvas.panels(len(names), width=width, height=height)
        for one, name, panel, shape in zip(axes, names, panels, shapes, strict=True):
            self._panel(one, panel, shape, stem)
            one.set(title=name, xlabel="target task", ylabel="source task")
        return figure

    def _panel(
        self, axes: Any, panel: Sequence[tuple[int, Point]], shape: tuple[list[str], list[str]], stem: str
    ) -> None:
        shades, (rows, columns) = self.shades([p for _, p in panel]), shape
        values = np.array([[shades[row, column].value if (row, column) in shades else math.nan for column in columns]
                           for row in rows]).reshape(len(rows), len(columns))  # fmt: skip
        drawn = axes.imshow(values, cmap=self.colors, norm=self.scale(values), aspect=PLACE[1] / PLACE[0])
        axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.grid(visible=False)
        for (row, column), shade in shades.items():
            place = columns.index(column), rows.index(row)
            color = "white" if _is_dark(drawn.to_rgba(shade.value)) else "black"
            axes.text(*place, shade.text, ha="center", va="center", fontsize=7, color=color)
        for index, point in panel:
            if point.ours and (point.spot.label, point.spot.series) in shades:
                canvas.link(axes, columns.index(point.spot.series), rows.index(point.spot.label), stem, index)


def by_mean(shades: Mapping[tuple[str, str], Shade], which: int) -> list[str]:
    """The rows (0) or columns (1), those of the largest mean value first."""
    values: dict[str, list[float]] = {}
    for key, shade in shades.items():
        values.setdefault(key[which], []).extend([] if math.isnan(shade.value) else [shade.value])
    return sorted(values, key=lambda name: -statistics.fmean(values[name]) if values[name] else math.inf)


def _is_dark(color: tuple[float, float, float, float]) -> bool:
    """Whether white reads better on it than black, by its luminance; what is transparent is the paper's."""
    red, green, blue, alpha = color
    return alpha > 0 and 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
