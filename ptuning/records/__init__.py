"""What runs leave: records, weights, and a mirror of them on W&B."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def frame(results: str | Path = "results") -> pd.DataFrame:
    """The records below a folder of results, a row each (`ptuning.records.frames`). Raises InputError."""
    from ptuning.records import frames  # pandas takes its time

    return frames.frame(Path(results))
