"""Figures as files: panels in the house style, drawn without a screen, the same bytes each time."""

from __future__ import annotations

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from experiments.artefacts.style import INK

# What files say of when and by what they were made: nothing, so that they are the same bytes each time.
METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def rendered(figure: Any) -> dict[str, str | bytes]:
    """A figure as files by their endings: SVG, the same bytes each time, and PNG at 150 dots an inch."""
    vector, pixels = saved(figure, "svg"), saved(figure, "png")
    plt.close(figure)
    return {"svg": "\n".join(line.rstrip() for line in vector.decode().splitlines()) + "\n", "png": pixels}


def saved(figure: Any, ending: str) -> bytes:
    """The content of its file of one of the endings in `METADATA`."""
    content = io.BytesIO()
    figure.savefig(content, format=ending, dpi=150, metadata=METADATA[ending])
    return content.getvalue()


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
