"""From overrides to runs: what a command line or a sweep asks for, checked whole before anything starts."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ptuning import heads, registry
from ptuning.config import RunConfig, parse
from ptuning.errors import InputError
from ptuning.launch import environment, helpers
from ptuning.launch import overrides as sweeping
from ptuning.launch.composition_errors import composition_error, files, names, resolution_error, unknown_key
from ptuning.parsed import Run
from ptuning.precision import native_precision
from ptuning.records.identity import run_id, run_name

_PACKAGE = Path(__file__).parents[1]
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"  # installed, or in a clone
WHERE = ("runtime", "hydra")  # nodes that say where and how
PROMPT_GROUPS = ("init", "reparameterization")  # whose files set what stands at `prompt.<group>`
# What overrides that are out of order make Hydra raise: task=null a ValueError, deep nesting a RecursionError, ...
_HYDRA_RAISES = (HydraException, ValueError, AssertionError, TypeError, AttributeError, RecursionError)
sys.path.append(str(_PACKAGE / "sweep/plugins"))  # where Hydra finds our launcher, sweeper and search path
OmegaConf.register_new_resolver("native_precision", native_precision, replace=True)
OmegaConf.register_new_resolver("usual_head_dropout", heads.usual_dropout, replace=True)
OmegaConf.register_new_resolver("template", heads.template_of, replace=True)
OmegaConf.register_new_resolver("below", lambda root, name: root and f"{root}/{name}", replace=True)
OmegaConf.register_new_resolver("unless", lambda given, value: value if given is None else None, replace=True)


def read(config: DictConfig) -> RunConfig:
    """A composed Hydra config as a checked run. Raises InputError."""
    parsed = _parse(config, complete=True)
    Run.parse(parsed)
    return parsed


def read_unchecked(config: DictConfig) -> RunConfig:
    """A composed Hydra config as a run that may lack keys of its prompt still (`???` stands there), or the sources
    that its init wants. Raises InputError."""
    return _parse(config, complete=False)


def _parse(config: DictConfig, complete: bool) -> RunConfig:
    try:
        values = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=complete))
    except OmegaConfBaseException as error:
        raise InputError(resolution_error(error)) from None
    environment.check_followed(config, values)
    _read_named_files(values.get("prompt"))
    return parse(RunConfig, {key: values[key] for key in RunConfig.model_fields if key in values})


def _read_named_files(prompt: dict[str, Any] | None) -> None:
    """Put the content of a file of conf/ where a prompt's config has its name alone (`prompt.reparameterization=mlp`):
    so a paper's files can choose one, which a run's own `prompt.reparameterization=none` overrides again. Raises
    InputError for a name without a file."""
    for group in PROMPT_GROUPS:
        name = (prompt or {}).get(group)
        if prompt is not None and isinstance(name, str):
            known = files(CONF / group)
            if name not in known:
                raise InputError(f"prompt.{group}={name} is unknown: choose one of {', '.join(sorted(known))}.")
            prompt[group] = OmegaConf.to_container(OmegaConf.load(known[name]))


def expand(overrides: Sequence[str]) -> list[RunConfig]:
    """The runs of a sweep: of `overrides` with commas, and of an experiment's own `hydra.sweeper.params`.

    Raises InputError for the first thing that is wrong with any of them.
    """
    _EXPANDED.clear()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        _EXPANDED.update(_read_all(_jobs(overrides)))
    if len(_EXPANDED) > 1:
        name = _sweep_name(overrides)
        _EXPANDED.update({job: _in_sweep(run, name) for job, run in _EXPANDED.items()})
    return _distinct(_EXPANDED.values())


def _distinct(runs: Iterable[RunConfig]) -> list[RunConfig]:
    """The runs, each once. Raises InputError where what a sweep varies does not count for a run (where data are, say),
    so that several of its runs would be one."""
    found: dict[str, RunConfig] = {}
    for run in runs:
        other = found.setdefault(run_id(run), run)
        for key in ("task", "data"):
            if getattr(other, key) != getattr(run, key):
                raise InputError(
                    f"{run_name(run)} would be two runs that differ in where or how their data are read alone "
                    f"({key}): give each its own task.name, or launch them apart, each with its own runtime.results."
                )
    return list(found.values())


def _sweep_name(overrides: Sequence[str]) -> str:
    """What was asked for, without where and how."""
    where = [sweeping.key_of(one) in environment.PLACES or _top(sweeping.parse(one)) in WHERE for one in overrides]
    return " ".join(one for one, is_where in zip(overrides, where, strict=True) if not is_where)


def _in_sweep(run: RunConfig, name: str) -> RunConfig:
    """The run, with the name of its sweep where it has none."""
    runtime = run.runtime.model_copy(update={"sweep": run.runtime.sweep or name})
    return run.model_copy(update={"runtime": runtime})


_Job = tuple[str, ...]  # the overrides of a job, as Hydra's sweepers write them for launchers
_EXPANDED: dict[_Job, RunConfig] = {}  # the runs of the last `expand`


def runs_of(jobs: Sequence[Sequence[str]]) -> list[RunConfig]:
    """The run of each of a launcher's jobs, by its overrides. Those that `expand` has read before the launch are not
    composed again. Raises InputError."""
    others = _read_all(job for job in jobs if _written(job) not in _EXPANDED)
    return [_EXPANDED.get(_written(job)) or others[_written(job)] for job in jobs]


def _written(job: Sequence[str]) -> _Job:
    """Without what is of Hydra, and with values in its words (0.001 for 1e-3)."""
    parsed = [one for one in map(sweeping.parse, job) if _top(one) != "hydra"]
    return tuple(f"{one.get_key_element()}={one.get_value_element_as_str()}" for one in parsed)


def _read_all(jobs: Iterable[Sequence[str]]) -> dict[_Job, RunConfig]:
    """The run of each job, where Hydra is set up."""
    files, cache = FileChoices(), OmegaConf.create()
    found = {}
    for job in jobs:
        config = files.compose(job)
        OmegaConf.copy_cache(from_config=cache, to_config=config)  # one `now` for all
        found[_written(job)] = read(config)
        OmegaConf.copy_cache(from_config=config, to_config=cache)
    return found


def composed_jobs(overrides: Sequence[str]) -> Iterator[DictConfig]:
    """What each run of a sweep composes to, not yet checked as `read` does. Raises InputError."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        files = FileChoices()
        for job in _jobs(overrides):
            yield files.compose(job)


class FileChoices:
    """What the files of conf/ compose to, by the overrides that choose among them, and those of helpers: jobs that
    differ in a run's own values alone share it, since Hydra sets values in what the files have come to."""

    def __init__(self) -> None:
        self._composed: dict[tuple[str, ...], bytes] = {}  # pickled: that is copied in a sixth of the time

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """As `_compose_run`. Raises InputError."""
        parsed = [sweeping.parse(override) for override in overrides]
        choices = tuple(override for override, one in zip(overrides, parsed, strict=True) if not _is_value(one))
        values = [one for one in parsed if _is_value(one)]
        try:
            if choices not in self._composed:
                self._composed[choices] = pickle.dumps(_compose_run(choices))
            config = cast("DictConfig", pickle.loads(self._composed[choices]))
            ConfigLoaderImpl._apply_overrides_to_config(values, config)
        except (InputError, *_HYDRA_RAISES):
            return _compose_run(overrides)  # which may be in order with its values, or says what is wrong
        if values:
            environment.check_overrides(overrides)
            _check_names(config)
            _check_chosen_files(config, overrides)
        return config


def _is_value(override: Any) -> bool:
    """Whether it sets a key of a run: it is not about a group of files, as Hydra tells it, nor about a helper, nor
    about Hydra, of which nothing is left in a run."""
    chooses_file = override.package is not None or (CONF / override.key_or_group).is_dir()
    return not chooses_file and _top(override) not in {"hydra", *helpers.HELPERS}


def _top(override: Any) -> str:
    """The first part of its key, or of its group."""
    return re.split("[./]", override.key_or_group)[0]


def composed(overrides: Sequence[str], files: FileChoices | None = None) -> DictConfig:
    """What the overrides of one run compose to, not yet checked as `read` does; `files` has what those of other runs
    came to, if any. Raises InputError."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return _compose_run(overrides) if files is None else files.compose(overrides)


def _jobs(overrides: Sequence[str]) -> list[list[str]]:
    """One list of overrides a job, as Hydra's sweepers would make them."""
    plain = [override for override in overrides if not sweeping.is_sweep(override)]
    sweeper = _compose(plain).hydra.sweeper
    sweeps = [
        [sweeping.expand(override) for override in sweep]
        for sweep in sweeping.union_of_sweeps(sweeper.params or {}, sweeper.get("sweeps"), overrides)
    ]
    if sum(prod(map(len, sweep)) for sweep in sweeps) > sweeping.MOST:
        raise sweeping.too_many(" ".join(filter(sweeping.is_sweep, overrides)))
    return [list(job) for sweep in sweeps for job in product(*sweep)]


def _compose_run(overrides: Sequence[str]) -> DictConfig:
    """Of one run's overrides, without what Hydra adds."""
    config = _compose(overrides)
    _check_paper(config.hydra.runtime.choices, overrides)
    with open_dict(config):
        del config["hydra"]
    return config


def _compose(overrides: Sequence[str]) -> DictConfig:
    environment.check_overrides(overrides)
    try:
        config = compose("config", list(overrides), return_hydra_config=True)
    except _HYDRA_RAISES as error:
        raise InputError(_group_error(overrides) or composition_error(error, CONF)) from None
    environment.check_files(config)
    _check_names(config)
    helpers.check(config, overrides, CONF)
    _check_chosen_files(config, overrides)
    return config


def _check_names(config: DictConfig) -> None:
    """Raise InputError for a name at the top that is none of a run's keys."""
    for name in config:
        if name not in {*RunConfig.model_fields, *helpers.HELPERS, "hydra"}:
            raise InputError(unknown_key(str(name), CONF))


def _group_error(overrides: Sequence[str]) -> str | None:
    """Where a group is given something else than the name of a file, as in `task=5`."""
    for override in overrides:
        parsed = sweeping.parse(override)
        if (CONF / str(parsed.key_or_group)).is_dir() and not isinstance(parsed.value(), str | list):
            known = ", ".join(names(CONF / parsed.key_or_group))
            return f"{override} is refused: Config group override must be a string, the name of a file: {known}."
    return None


def _check_paper(choices: Mapping[str, str | None], overrides: Sequence[str]) -> None:
    """Raise InputError where the paper that is asked for by name has no file for the run."""
    paper = choices["paper"]
    if paper is None or "paper" not in map(sweeping.key_of, overrides):  # none, or a profile's
        return
    groups = {group.partition("@")[0]: name for group, name in choices.items() if group.startswith(f"paper/{paper}/")}
    places = (CONF, *(folder / "conf" for folder in registry.plugin_folders()))
    if not any((place / group / f"{name}.yaml").exists() for place in places for group, name in groups.items()):
        known = min((sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in groups), key=len)
        raise InputError(
            f"paper={paper} has no file for {' or '.join(map(str, groups.values()))}: leave it out, for the method's "
            f"own values, or choose what it has one for, {', '.join(known)}."
        )


def _check_chosen_files(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raise InputError where the file of conf/init, say, that is asked for has been overruled by a paper's choice."""
    for override in overrides:
        group, _, name = override.partition("=")
        if group in PROMPT_GROUPS:
            found = OmegaConf.select(config, f"prompt.{group}")
            found = found.get("name") if isinstance(found, DictConfig) else found
            if found is None:
                raise InputError(f"{override} has no place: prompt.{group} is taken out, leave that or this away.")
            if found != name:
                raise InputError(f"{override} is overruled by the file of a paper: write prompt.{override} instead.")
