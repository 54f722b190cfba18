"""Which runs of a sweep can share a backbone."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.parsed import Run


def packs(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that can be lanes of one backbone, those with the same prompted layers next to each other."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.pack_key, []).append(run)
    return [sorted(pack, key=_depth) for pack in found.values()]


def _depth(run: Run) -> str:
    return str((run.config.prompt or {}).get("layers", ""))
