"""From overrides to runs: what a command line or a sweep asks for, checked whole before anything starts."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from ptuning.config import RunConfig, parse
from ptuning.errors import InputError
from ptuning.precision import native_precision
from ptuning.records.identity import run_id
from ptuning.run import check

CONF = Path(__file__).parents[2] / "conf"
sys.path.append(str(Path(__file__).parents[1] / "sweep/plugins"))  # where Hydra finds our launcher and sweeper
OmegaConf.register_new_resolver("native_precision", native_precision, replace=True)


def read(config: DictConfig) -> RunConfig:
    """A composed Hydra config as a checked run. Raises InputError."""
    try:
        values = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    except InterpolationKeyError as error:
        wanted = (re.findall(r"'([^']+)'", str(error)) or ["another key"])[0]
        raise InputError(f"{error.full_key} follows {wanted}, which is not set: set one of the two.") from None
    except OmegaConfBaseException as error:
        raise InputError(f"{error.full_key} is not set: give it a value ({_first_line(error)}).") from None
    parsed = parse(RunConfig, {key: values[key] for key in RunConfig.model_fields if key in values})
    check(parsed)
    return parsed


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
    sweeper = _compose([o for o in overrides if not _is_sweep(o)], hydra=True).hydra.sweeper
    return [
        list(job)
        for asked in sweeps(sweeper.params or {}, sweeper.get("sweeps"), overrides)
        for job in product(*map(_choices, asked))
    ]


def sweeps(
    params: Mapping[str, str], several: Sequence[Mapping[str, str]] | None, overrides: Sequence[str]
) -> list[list[str]]:
    """What each of an experiment's sweeps goes through: `params`, what it adds (`hydra/sweeper=several`), and
    `overrides`, which go for all. Where those name values that sweeps add, each keeps the ones it has; one without
    any falls out. Raises InputError where that leaves none."""
    added = [{key: _values(f"{key}={value}") for key, value in more.items()} for more in several or [{}]]
    given = {_key(override): override for override in overrides}
    picked = {
        key: _values(override)
        for key, override in given.items()
        if any(set(more.get(key, ())) & set(_values(override)) for more in added)
    }
    kept = [{key: [v for v in vs if v in picked.get(key, vs)] for key, vs in more.items()} for more in added]
    asked = [
        [f"{key}={value}" for key, value in params.items() if key not in {*given, *more}]
        + [f"{key}={','.join(values)}" for key, values in more.items() if key in picked or key not in given]
        + [override for override in overrides if _key(override) not in picked.keys() & more.keys()]
        for more in kept
        if all(more.values())
    ]
    if not asked:
        raise InputError(f"{' '.join(given[key] for key in picked)} belong to different sweeps: ask for them apart.")
    return asked


def _values(override: str) -> list[str]:
    return [choice.partition("=")[2] for choice in _choices(override)]


def _choices(override: str) -> list[str]:
    parsed = _parse(override)
    if not parsed.is_sweep_override():
        return [override]
    try:
        return [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]
    except HydraException as error:
        raise InputError(f"{override!r} cannot be swept ({_first_line(error)}): list values with commas.") from None


def _parse(override: str) -> Any:
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise InputError(f"{override!r} is not an override ({_first_line(error)}): write key=value.") from None


def _is_sweep(override: str) -> bool:
    return bool(_parse(override).is_sweep_override())


def _key(override: str) -> str:
    """What it sets; a group's with the package, so that `task` and `task@parent.task` are two."""
    parsed = _parse(override)
    return f"{parsed.key_or_group}@{parsed.package}" if parsed.package else str(parsed.key_or_group)


def _compose(overrides: Sequence[str], hydra: bool = False) -> DictConfig:
    try:
        return compose("config", list(overrides), return_hydra_config=hydra)
    except (ConfigCompositionException, HydraException, ValueError) as error:  # ValueError: task=null
        raise InputError(_composition_error(error)) from None


def _composition_error(error: Exception) -> str:
    text = str(error)
    if found := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        options = re.findall(r"^\t(\S+)$", text, re.MULTILINE) or _nested(found[1])
        return f"{found[1]}={found[2]} is unknown: choose one of {', '.join(options)}."
    if found := re.search(r"Could not override '([^']+)'", text):
        return _unknown_key(found[1])
    return " ".join(text.split()).rstrip(".") + "."


def _nested(group: str) -> list[str]:
    """The files of a group whose files are all in folders, such as `p_tuning_v2/table2` of experiment."""
    return sorted(str(file.relative_to(CONF / group).with_suffix("")) for file in (CONF / group).rglob("*.yaml"))


def _unknown_key(key: str) -> str:
    whole = OmegaConf.to_container(compose("config"), resolve=False)
    known = _keys(cast("dict[str, Any]", whole))
    if key in known or key.startswith("task.options."):
        return (
            f"{key} is not a config key of this method and task: remove it, or, where other runs of a sweep have it, "
            f"write ++{key}=... or launch those apart."
        )
    near = sorted(name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0])
    close = difflib.get_close_matches(key, known, 1)
    hint = (
        f"did you mean {close[0]}?" if close else f"known here are {', '.join(near or sorted(map(str, whole or ())))}."
    )
    return f"{key} is not a config key (for this method): {hint}"


def _keys(node: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, value in node.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, dict):
            names += _keys(value, f"{prefix}{key}.")
    return names


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
