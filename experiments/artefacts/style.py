"""The one look of all plots: readable in print, in greyscale, and by those who cannot tell some colours apart.

Series differ in colour (Okabe and Ito's palette), marker and line. Text stays text in SVG files, and nothing in a file
depends on when or where it was made. Ink is #000000 and paper #ffffff, which pages may exchange for their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib

INK, PAPER = "#000000", "#ffffff"


@dataclass(frozen=True)
class Look:
    """How a series is drawn. Methods' looks stand in their files (`experiments.artefacts.methods`)."""

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
