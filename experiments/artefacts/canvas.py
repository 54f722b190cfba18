"""Figures as files: panels in the house style, drawn without a screen, the same bytes each time."""

from __future__ import annotations

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from experiments.artefacts.style import INK


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
