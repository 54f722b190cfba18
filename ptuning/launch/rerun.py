"""From a record back to the command that trains its run again: the few overrides that compose to the record's id.

Values that the files of conf/ set are left out, so these are the overrides that a person would write. They hold for
today's conf/, therefore every result is composed, and its id compared with the record's, before it is returned.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from ptuning.config import MixtureConfig, RunConfig, SourceConfig, TaskConfig
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.launch.compose import FileChoices
from ptuning.launch.environment import PLACES
from ptuning.launch.overrides import key_of
from ptuning.records import configs, store
from ptuning.records.identity import not_hashed, run_id
from ptuning.records.record import Record, kind

CUSTOM = "custom"  # the file of a task that has none of its own
DATA_ROOT = 'data.root="<folder>"'  # records do not hold where local data are, and ids do not depend on it


def command(record: Record, given: Sequence[str] = ()) -> str:
    """The shell command that trains the record's run again, with those of the `given` overrides that say where and how
    (`runtime.…`, `data.root`, `text`). Raises InputError as `overrides` does."""
    where = [one for one in given if key_of(one).startswith("runtime.") or key_of(one) in PLACES]
    placed = [one for one in overrides(record) if one != DATA_ROOT or "data.root" not in map(key_of, where)]
    return " ".join(["python -m experiments.run", *map(shlex.quote, [*placed, *where])])


def overrides(record: Record) -> list[str]:
    """The shortest overrides that compose to the record's id.

    Raises InputError where today's code and conf/ no longer have a run of that id.
    """
    if kind(record) == "evaluation":
        raise InputError(f"{_refusal(record)}: it is an evaluation, which is made from the records of its prompts.")
    try:
        found = shortest(record)
        made = run_id(compose.read(compose.composed(found, _files())))
    except InputError as error:
        raise InputError(f"{_refusal(record)}: {str(error).rstrip('.')}{_commit_hint(record)}.") from None
    if made != record["id"]:
        raise InputError(
            f"{_refusal(record)}: what comes closest has the id {made}, because what counts as a part of a run, "
            f"or the backbone's folder, is not what it was{_commit_hint(record)}."
        )
    return found


@cache
def _files() -> FileChoices:
    """Shared by all records: most choose the same as others."""
    return FileChoices()


def _refusal(record: Record) -> str:
    return f"record {record['id']} cannot be made again by today's code"


def _commit_hint(record: Record) -> str:
    """The commit that can make it, where the record has one."""
    commit = (record.get("git") or {}).get("commit")
    return f"; check out commit {commit[:10]}, which made it" if commit else ""


def shortest(record: Record) -> list[str]:
    """What `overrides` returns, without comparing ids."""
    run = _run_of(record)
    choices = _group_choices(run)
    return [*choices, *_differences(run, choices)]


def _run_of(record: Record) -> RunConfig:
    runtime = _composed()[0].runtime  # any: records do not hold it
    return configs.parse_run(record["config"], runtime)


@cache
def _composed(*overrides: str) -> tuple[RunConfig, dict[str, Any]]:
    """A run, which may lack keys still that its files leave open, and its config as composed: with all keys that an
    override may set without a `+`."""
    config = compose.composed(overrides)
    return compose.read_unchecked(config), cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))


def _group_choices(run: RunConfig) -> list[str]:
    """The files of conf/ that come closest to the run, also where they are the default, so that the command says what
    it is about."""
    declared = getattr(run.task, "kind", None) is not None and run.task.name not in _group_files("task")
    task = CUSTOM if declared else run.task.name
    return [
        f"task={task}", *_backbone_choice(run), *_method_choice(run), *_head_choice(run), *_data_choice(run),
    ]  # fmt: skip


def _backbone_choice(run: RunConfig) -> list[str]:
    name = run.backbone.name
    if _group_files("backbone").get(name, {}).get("name") == name:
        return [f"backbone={name}"]
    return ["backbone=hub", f"backbone.id={format_value(run.backbone.id)}", f"backbone.name={format_value(name)}"]


def _method_choice(run: RunConfig) -> list[str]:
    """With sources: the method's file that adds such, else the sources themselves."""
    if not run.sources:
        return [f"method={run.method}", *_prompt_files(run)]
    if file := method_file(run.method, run.task.name, origins(store.dump(run))):
        return [f"method={file}"]
    tasks = [f"+task@sources.{key}.task={one.task.name}" for key, one in run.sources.items() if one.task is not None]
    return [f"method={run.method}", *_prompt_files(run), *tasks]


def origins(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the runs are on that a run, whose config this is, starts from: the names of their tasks, or else an id."""
    sources = config.get("sources", {}).values()
    return tuple(one.get("id") or (one.get("task") or config["task"])["name"] for one in sources)


@cache
def method_file(method: str, task: str, starts: tuple[str, ...]) -> str | None:
    """The file of conf/method that lets runs of `method` on `task` start from runs on `starts`, such as multi-task
    P-Tuning v2's from the task's mixture; None where there is none. Raises InputError where there are two."""
    found = []
    for name in (name for name, file in _group_files("method").items() if "sources" in file):
        with suppress(InputError):  # the file does not go with the task
            run = _composed(f"task={task}", f"method={name}")[0]
            found += [name] if (run.method, origins(store.dump(run))) == (method, starts) else []
    if len(found) > 1:
        files = " and ".join(f"conf/method/{name}.yaml" for name in found)
        raise InputError(f"{files} let {method} on {task} start from the same runs: leave out all but one.")
    return next(iter(found), None)


def _prompt_files(run: RunConfig) -> list[str]:
    """The init and reparameterization, where the method's own are others."""
    own = _composed(f"method={run.method}")[0].prompt or {}
    return [
        f"{group}={node['name']}"
        for group in ("init", "reparameterization")
        if run.prompt is not None and (node := run.prompt[group])["name"] != own[group]["name"]
    ]


def _head_choice(run: RunConfig) -> list[str]:
    """With the pattern that its keys come from, where it has such."""
    if run.head.name == "auto":
        return []
    pattern = run.head.keys.get("pattern")
    return [f"head={run.head.name}", *([] if pattern is None else [f"head.pattern={format_value(pattern)}"])]


def _data_choice(run: RunConfig) -> list[str]:
    wanted = (run.data.source, run.data.files)
    named = (name for name, file in _group_files("data").items() if (file["source"], file["files"]) == wanted)
    root = [DATA_ROOT] if run.data.source == "local" else []
    return [f"data={next(named, run.data.source)}", *root]


@cache
def _group_files(group: str) -> dict[str, dict[str, Any]]:
    """The files of a group of conf/, not composed."""
    files = sorted((compose.CONF / group).glob("*.yaml"))
    return {
        file.stem: cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(file), resolve=False))
        for file in files
    }


def _differences(run: RunConfig, choices: list[str]) -> list[str]:
    """The overrides that turn the config that `choices` compose to into the run's."""
    base, plain = _composed(*choices)
    if len(run.sources) == len(base.sources) == 1:  # whose name counts for nothing
        run = run.model_copy(update={"sources": dict(zip(base.sources, run.sources.values(), strict=True))})
    return [_override(key, value, plain) for key, value in _changes(store.dump(run), store.dump(base))]


_Key = tuple[str, ...]
_REMOVED = object()
_SAME_RUN = SourceConfig().model_dump(mode="json")  # a source of which nothing is said


def _changes(wanted: Mapping[str, Any], base: Mapping[str, Any], above: _Key = ()) -> Iterator[tuple[_Key, Any]]:
    """The keys whose value in `wanted` is not that in `base`; `_REMOVED` for those that only `base` has."""
    for name in dict.fromkeys([*base, *wanted]):
        new, old = wanted.get(name, _REMOVED), base.get(name, _REMOVED)
        if isinstance(new, Mapping) and isinstance(old, Mapping) and above[-1:] != ("head",):  # which follow a task's
            yield from _changes(new, old, (*above, name))
        elif above[-1:] == ("sources",) and old is _REMOVED:
            yield from list(_changes(new, _SAME_RUN, (*above, name))) or [((*above, name), {})]
        elif new != old and not _is_immaterial(above, name):
            yield (*above, name), new


_IMMATERIAL = not_hashed(TaskConfig) | not_hashed(MixtureConfig)


def _is_immaterial(above: _Key, name: str) -> bool:
    """Whether it is a key of a task that changes no number: it only chooses defaults."""
    return name in _IMMATERIAL and "task" in above and above[-1] != "options"


def _override(key: _Key, value: Any, plain: Mapping[str, Any]) -> str:
    place = _config_path(key, plain)
    if value is _REMOVED:
        return f"~{'.'.join(place)}"
    return f"{'' if _has(plain, place) else '+'}{'.'.join(place)}={format_value(value)}"


def _config_path(key: _Key, plain: Mapping[str, Any]) -> _Key:
    """Where the key is set: a source's task may be one of `mixtures`, which it only points at."""
    if key[:1] == ("sources",) and key[2:3] == ("task",) and "mixtures" in plain:
        return ("mixtures", plain["sources"][key[1]]["task"]["name"], *key[3:])
    return key


def _has(node: Any, key: _Key) -> bool:
    """Whether the key can be overridden without a `+`."""
    for name in key:
        if not isinstance(node, Mapping) or name not in node:
            return False
        node = node[name]
    return True


def format_value(value: Any) -> str:
    """A value in Hydra's syntax for overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{format_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(format_value, value)) + "]"
    return _format_text(value) if isinstance(value, str) else repr(value)


def _format_text(value: str) -> str:
    """Without quotes where Hydra reads that as the same text, else in quotes."""
    try:
        read = OverridesParser.create().parse_override(f"key={value}")
        plain = not read.is_sweep_override() and read.value() == value
    except HydraException:
        plain = False
    return value if plain else QuotedString(value, Quote.double).with_quotes()
