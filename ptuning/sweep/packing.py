"""Which runs of a sweep can share a batch."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.records.identity import run_id
from ptuning.run import shared, trains_backbone


def groups(configs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Runs that can share a batch, those with the same first prompted layer next to each other."""
    found: dict[str, list[RunConfig]] = {}
    for config in configs:
        alone = run_id(config) if trains_backbone(config) else ""
        found.setdefault(alone + shared(config), []).append(config)
    return [sorted(group, key=_depth) for group in found.values()]


def _depth(config: RunConfig) -> str:
    return str((config.prompt or {}).get("layers", ""))
