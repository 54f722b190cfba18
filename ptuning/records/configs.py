"""The configs that records and weights keep, in the form that configs have today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptuning.config import RunConfig, RuntimeConfig, parse


def upgrade(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with the keys and values of today's. Changes nothing in one of today.

    Every config that is read from disk goes through here, so this is the one place that knows what keys and values
    were called. A field that was added since and that the config lacks is filled in by its schema, which knows what
    means "as before": the first records have no `parent`, `task.mixture` and `data.test_rows`; later ones have a
    `parent`, the one source that there could be, and `prompt.init_std`, `prompt.mlp_hidden` and the name of a
    reparameterization alone.
    """
    config, backbone = dict(stored), dict(stored["backbone"])
    backbone["source"] = {"packaged": "pypi"}.get(backbone["source"], backbone["source"])
    parent = config.pop("parent", None)
    if parent is not None:
        config["sources"] = {parent["task"]["name"]: parent}
    if "init_std" in (config.get("prompt") or {}):
        config["prompt"] = _prompt(config["prompt"], parent is not None)
    return config | {"backbone": backbone}


def _prompt(stored: Mapping[str, Any], from_another: bool) -> dict[str, Any]:
    """A prompt's keys before inits and reparameterizations had keys of their own."""
    prompt = dict(stored)
    name, hidden, std = (prompt.pop(key) for key in ("reparameterization", "mlp_hidden", "init_std"))
    normal = {"name": "normal", "std": std}
    return prompt | {
        "reparameterization": {"name": name} | ({"hidden": hidden} if name == "mlp" else {}),
        "init": {"name": "prompt", "start": normal} if from_another else normal,
    }


def parse_run(stored: Mapping[str, Any], runtime: RuntimeConfig, prefix: str = "") -> RunConfig:
    """The run of a stored config, carried out as `runtime` says. Raises InputError where today's code has no such."""
    return parse(RunConfig, upgrade(stored) | {"runtime": runtime}, prefix)
