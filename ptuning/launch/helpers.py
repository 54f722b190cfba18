"""What stands in files of conf/ beside the keys of a run, for other keys to follow: of it, what nothing follows is
refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose
from omegaconf import DictConfig, OmegaConf

from ptuning.errors import InputError
from ptuning.launch.composition_errors import all_keys, names
from ptuning.launch.overrides import key_of

FOLLOWED = {"variant", "shown", "sweep", "mixtures"}
# `evaluate`, whose keys `experiments.evaluate` checks, and `text`, which adapted backbones are made of
HELPERS = FOLLOWED | {"evaluate", "text"}


def check(config: DictConfig, overrides: Sequence[str], conf: Path) -> None:
    """Raise InputError where `overrides`, which compose to `config`, set one that nothing reads. Hydra must be
    initialized with the files in `conf`."""
    given = {override: key_of(override) for override in overrides if not override.startswith("~")}
    for override, key in given.items():
        if key in FOLLOWED - {"variant"}:
            raise InputError(f"{override} is refused: {key} is a group of keys, set one of them.")
    if "variant" in given.values() and config.variant not in (methods := names(conf / "method")):
        raise InputError(f"variant={config.variant} is unknown: choose one of {', '.join(methods)}.")
    added = [override for override, key in given.items() if override.startswith("+") and key.split(".")[0] in FOLLOWED]
    if added:
        before = compose("config", [override for override in overrides if override not in added])
        _check_added(_keys(config, conf), _keys(before, conf), " ".join(added))


def _check_added(keys: set[str], before: set[str], added: str) -> None:
    """A task, method or backbone may be added where others of its kind stand, or nothing does."""
    for key in sorted(keys - before - FOLLOWED):
        parent, _, name = key.rpartition(".")
        beside = sorted(one.rpartition(".")[2] for one in before if one.rpartition(".")[0] == parent)
        if name != "*" or parent in FOLLOWED or (beside and "*" not in beside):
            known = f"known there are {', '.join(beside)}" if beside else "remove it"
            raise InputError(f"{added} is refused, since nothing reads it: {known}.")


def _keys(config: DictConfig, conf: Path) -> set[str]:
    """The keys of helpers, with * for the name of a task, method or backbone. Those of the mixture that the task names
    are left out: they are read, and checked, as a source's."""
    files = {name for group in ("task", "method", "backbone") for name in names(conf / group)}
    whole = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=False))
    chosen = f"mixtures.{OmegaConf.select(config, 'task.mixture', throw_on_missing=False)}."
    found = (
        key.split(".")
        for key in all_keys({key: whole[key] for key in FOLLOWED & whole.keys()})
        if not key.startswith(chosen)
    )
    return {".".join("*" if part in files else part for part in parts) for parts in found}
