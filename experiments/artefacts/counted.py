"""Tables and figures of what configs alone tell: nothing is trained for them, and no record stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.artefacts.artefact import Artefact
from ptuning.config import RunConfig


class Counted(Artefact):
    """An artefact whose experiment's runs are read, and not run: its file sets no `hydra.mode`."""

    def _check_records(self, runs: Sequence[RunConfig], overrides: Sequence[str], before: Path) -> None:
        """There are none to check."""

    def _unchecked(self, runs: Sequence[RunConfig]) -> list[str]:
        return []
