"""The configs that records and weights keep, in the form that configs have today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptuning.config import RunConfig, RuntimeConfig, parse


def upgrade(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with the keys and values of today's. Changes nothing in one of today.

    Every config that is read from disk goes through here, so this is the one place that knows what keys and values
    were called. A field that was added since and that the config lacks is filled in by its schema, which knows what
    means "as before": the first records have no `parent`, `task.mixture` and `data.test_rows`.
    """
    backbone = dict(stored["backbone"])
    backbone["source"] = {"packaged": "pypi"}.get(backbone["source"], backbone["source"])
    return {**stored, "backbone": backbone}


def parse_run(stored: Mapping[str, Any], runtime: RuntimeConfig, prefix: str = "") -> RunConfig:
    """The run of a stored config, carried out as `runtime` says. Raises InputError where today's code has no such."""
    return parse(RunConfig, upgrade(stored) | {"runtime": runtime}, prefix)
