"""What the tables and plots of all kinds of results share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

Result = Mapping[str, Any]  # as its JSON has it
Spread = Mapping[str, float]  # median, min, max


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


def ranged(spread: Spread, digits: str) -> str:
    return f"{spread['median']:{digits}} ({spread['min']:{digits}}–{spread['max']:{digits}})"


def whiskers(spreads: Sequence[Spread]) -> list[list[float]]:
    """How far below and above the medians the ranges go."""
    return [[one["median"] - one["min"] for one in spreads], [one["max"] - one["median"] for one in spreads]]


def headline(result: Result) -> str:
    """What was measured on what, in a line over a plot."""
    work = result["work"]
    return (
        f"{work['shape']}, texts of {work['task'].upper()}'s lengths, batch {work['batch_size']}, "
        f"{result['device']['name']}"
    )


def from_zero(axes: Any) -> None:
    """Let the y axis begin at 0, with some room over what is highest."""
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
