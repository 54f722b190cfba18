"""The configs that records and weights keep, in the form that configs have today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptuning.config import RunConfig, RuntimeConfig, parse


def upgrade(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with the keys and values of today's; a field that was added since then and that it lacks is
    filled in by its schema, which knows what means "as before".

    Every config that is read from disk goes through here, so this is the one place that knows what keys were called:
    the first records have no `parent`, `task.mixture` and `data.test_rows`.
    """
    return {"parent": None, **stored}


def parse_run(stored: Mapping[str, Any], runtime: RuntimeConfig, prefix: str = "") -> RunConfig:
    """The run of a stored config, carried out as `runtime` says. Raises InputError where today's code has no such."""
    return parse(RunConfig, upgrade(stored) | {"runtime": runtime}, prefix)
