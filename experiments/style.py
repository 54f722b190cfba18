"""The one look of all plots: readable in print, in greyscale, and by those who cannot tell some colours apart.

Series differ in colour (Okabe and Ito's palette), marker and line. Text stays text in SVG files, and nothing in a file
depends on when or where it was made. Ink is #000000 and paper #ffffff, which pages may exchange for their own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

INK, PAPER = "#000000", "#ffffff"


@dataclass(frozen=True)
class Look:
    """How a series is drawn."""

    color: str
    marker: str
    line: str
    hollow: bool = False

    @property
    def face(self) -> str:
        """What a marker is filled with."""
        return PAPER if self.hollow else self.color


LOOKS = [
    Look("#0072B2", "^", "-"),
    Look("#E69F00", "s", "--"),
    Look("#000000", "o", "-."),
    Look("#009E73", "D", ":"),
    Look("#CC79A7", "v", (0, (5, 1, 1, 1, 1, 1))),  # type: ignore[arg-type]  # matplotlib's dashes
    Look("#D55E00", "P", (0, (1, 1))),  # type: ignore[arg-type]
]
METHODS = {"FT": LOOKS[2], "PT": LOOKS[1], "PT-2": LOOKS[0], "MPT-2": LOOKS[3]}

RC: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#b0b0b0",
    "grid.linewidth": 0.4,
    "lines.markersize": 6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "ptuning",
}


@contextmanager
def styled() -> Iterator[None]:
    """Plots drawn within have the house style."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # nobody's own settings
        matplotlib.rcParams.update(RC)
        yield


def rendered(figure: Any) -> dict[str, str | bytes]:
    """A figure as files by their endings: SVG, the same bytes each time, and PNG at 150 dots an inch."""
    vector, pixels = io.StringIO(), io.BytesIO()
    figure.savefig(vector, format="svg", metadata={"Date": None, "Creator": None})
    figure.savefig(pixels, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)
    text = "\n".join(line.rstrip() for line in vector.getvalue().splitlines()) + "\n"
    return {"svg": text, "png": pixels.getvalue()}


def panels(count: int, width: float = 3.6, height: float = 3.0, columns: int = 3) -> tuple[Any, list[Any]]:
    """A figure of `count` panels in rows of `columns`, and their axes."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows + 0.5), squeeze=False, layout="constrained"
    )
    for unused in axes.flat[count:]:
        unused.set_visible(False)
    return figure, list(axes.flat[:count])


def link(axes: Any, x: float, y: float | None, stem: str, index: int) -> None:
    """An unseen mark over a point that leads to where the report tells what stands behind a cell of the artefact
    called `stem`."""
    axes.plot([x], [y], "o", markersize=14, alpha=0, color=INK, url=f"../report/index.html#{stem}-{index}")
