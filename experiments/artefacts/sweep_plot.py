"""A sweep's table as a plot: the scores against that of its keys which is a number, a line for each setting of the
others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt

from experiments.artefacts import canvas, style
from experiments.artefacts.figure import SPAN, at_least, seeds
from ptuning.analysis.sweep_table import Column, SweepTable, Values
from ptuning.errors import InputError
from ptuning.records.settings import said

ENDINGS = tuple(f".{ending}" for ending in canvas.METADATA)
WIDE = 20  # from this ratio of the largest to the smallest on, an axis is logarithmic


def drawn(table: SweepTable, ending: str) -> bytes:
    """The file's content. Raises InputError for another ending, and where no key is a number."""
    if ending not in ENDINGS:
        raise InputError(f"--plot: {ending or 'a file without an ending'} is refused: choose {', '.join(ENDINGS)}.")
    x = _numeric(table)
    with style.styled():
        figure, axes = canvas.panels(len(table.columns))
        for one, column in zip(axes, table.columns, strict=True):
            _panel(one, table, column, x)
        handles, labels = axes[0].get_legend_handles_labels()
        if len(labels) > 1:
            figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
        content = canvas.saved(figure, ending.removeprefix("."))
        plt.close(figure)
    return content


def _numeric(table: SweepTable) -> int:
    """Which of the keys is the axis: the last that has several numbers."""
    for at in reversed(range(len(table.by))):
        if len(_numbers(row[at] for row in table.rows)) > 1:
            return at
    raise InputError(f"--plot draws scores against a number, and by={','.join(table.by)} has none with two values.")


def _numbers(values: Iterable[Any]) -> list[float]:
    return sorted({float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)})


def _panel(axes: Any, table: SweepTable, column: Column, x: int) -> None:
    lines: dict[Values, list[Values]] = {}
    for row in table.rows:
        if isinstance(row[x], int | float):
            lines.setdefault((*row[:x], *row[x + 1 :]), []).append(row)
    for index, (others, rows) in enumerate(lines.items()):
        look = style.LOOKS[index % len(style.LOOKS)]
        cells = [table.cell(row, column) for row in rows]
        means = [math.nan if cell is None or cell.mean is None else cell.mean for cell in cells]
        axes.plot([row[x] for row in rows], means, color=look.color, marker=look.marker, linestyle=look.line,
                  label=_label(table, others, x))  # fmt: skip
        for row, cell in zip(rows, cells, strict=True):
            if cell is not None:
                seeds(axes, row[x], cell, look)
    at = _numbers(row[x] for row in table.rows)
    axes.set(title=column.title, xlabel=table.by[x], ylabel=f"{column.metric} (%)")
    if at[0] > 0 and at[-1] / at[0] >= WIDE:
        axes.set_xscale("log")
    axes.set_xticks(at, [f"{one:g}" for one in at])
    axes.minorticks_off()
    at_least(axes, SPAN)


def _label(table: SweepTable, others: Sequence[Any], x: int) -> str:
    keys = [key for at, key in enumerate(table.by) if at != x]
    return ", ".join(f"{key} {said(value)}" for key, value in zip(keys, others, strict=True))
