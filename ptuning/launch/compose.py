"""From overrides to runs: what a command line or a sweep asks for, checked whole before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ptuning.config import RunConfig, parse
from ptuning.errors import InputError
from ptuning.launch import overrides as sweeping
from ptuning.launch.composition_errors import composition_error, resolution_error
from ptuning.parsed import Run
from ptuning.precision import native_precision
from ptuning.records.identity import run_id

CONF = Path(__file__).parents[2] / "conf"
PROMPT_GROUPS = ("init", "reparameterization")  # whose files set what stands at `prompt.<group>`
sys.path.append(str(Path(__file__).parents[1] / "sweep/plugins"))  # where Hydra finds our launcher and sweeper
OmegaConf.register_new_resolver("native_precision", native_precision, replace=True)


def read(config: DictConfig) -> RunConfig:
    """A composed Hydra config as a checked run. Raises InputError."""
    try:
        values = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    except OmegaConfBaseException as error:
        raise InputError(resolution_error(error)) from None
    _read_named_files(values.get("prompt"))
    parsed = parse(RunConfig, {key: values[key] for key in RunConfig.model_fields if key in values})
    Run.parse(parsed)
    return parsed


def _read_named_files(prompt: dict[str, Any] | None) -> None:
    """Put the content of a file of conf/ where a prompt's config has its name alone (`prompt.reparameterization=mlp`):
    so a paper's files can choose one, which a run's own `prompt.reparameterization=none` overrides again. Raises
    InputError for a name without a file."""
    for group in PROMPT_GROUPS:
        name = (prompt or {}).get(group)
        if prompt is not None and isinstance(name, str):
            known = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
            if name not in known:
                raise InputError(f"prompt.{group}={name} is unknown: choose one of {', '.join(known)}.")
            prompt[group] = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))


def expand(overrides: Sequence[str]) -> list[RunConfig]:
    """The runs of a sweep: of `overrides` with commas, and of an experiment's own `hydra.sweeper.params`.

    Raises InputError for the first thing that is wrong with any of them.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        runs = [read(_compose(job)) for job in _jobs(overrides)]
    return list({run_id(run): run for run in runs}.values())


def composed(overrides: Sequence[str]) -> DictConfig:
    """What the overrides of one run compose to, not yet checked as `read` does. Raises InputError."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return _compose(overrides)


def _jobs(overrides: Sequence[str]) -> list[list[str]]:
    """One list of overrides a job, as Hydra's sweepers would make them."""
    plain = [override for override in overrides if not sweeping.is_sweep(override)]
    sweeper = _compose(plain, hydra=True).hydra.sweeper
    return [
        list(job)
        for sweep in sweeping.union_of_sweeps(sweeper.params or {}, sweeper.get("sweeps"), overrides)
        for job in product(*map(sweeping.expand, sweep))
    ]


def _compose(overrides: Sequence[str], hydra: bool = False) -> DictConfig:
    try:
        config = compose("config", list(overrides), return_hydra_config=hydra)
    except (ConfigCompositionException, HydraException, ValueError) as error:  # ValueError: task=null
        raise InputError(composition_error(error, CONF)) from None
    _check_chosen_files(config, overrides)
    return config


def _check_chosen_files(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raise InputError where the file of conf/init, say, that is asked for has been overruled by a paper's choice."""
    for override in overrides:
        group, _, name = override.partition("=")
        if group in PROMPT_GROUPS:
            found = OmegaConf.select(config, f"prompt.{group}")
            if (found if isinstance(found, str) else found["name"]) != name:
                raise InputError(f"{override} is overruled by the file of a paper: write prompt.{override} instead.")
