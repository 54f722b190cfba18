"""From a record back to the command that makes its run again: the few overrides that compose to the record's id.

What the files of conf/ say by themselves is left out, so these are the overrides that a person would write; in return
they hold for the conf/ of today, and every answer is composed and its id compared before it is given.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import configs, store
from ptuning.records.identity import run_id
from ptuning.records.record import Record

FOLDER = 'data.root="<folder>"'  # a record does not tell where the local data lie, and the id does not hang on it


def command(record: Record) -> str:
    """The shell command that makes the record's run again. Raises InputError as `overrides` does."""
    return " ".join(["python -m experiments.run", *map(shlex.quote, overrides(record))])


def overrides(record: Record) -> list[str]:
    """The shortest overrides that compose to the record's id.

    Raises InputError where today's code and conf/ no longer have a run of that id.
    """
    try:
        found = shortest(record)
        made = run_id(_composed(*found)[0])
    except InputError as error:
        raise InputError(f"{_refusal(record)}: {str(error).rstrip('.')}{_instead(record)}.") from None
    if made != record["id"]:
        raise InputError(
            f"{_refusal(record)}: what comes closest has the id {made}, because what counts as a part of a run, "
            f"or the backbone's folder, is not what it was{_instead(record)}."
        )
    return found


def _refusal(record: Record) -> str:
    return f"record {record['id']} cannot be made again by today's code"


def _instead(record: Record) -> str:
    """Where it can be made, as far as the record tells."""
    commit = (record.get("git") or {}).get("commit")
    return f"; check out commit {commit[:10]}, which made it" if commit else ""


def shortest(record: Record) -> list[str]:
    """What `overrides` gives, without the proof that it has the record's id."""
    run = _config(record)
    lead = _lead(run)
    return [*lead, *_differences(run, lead)]


def _config(record: Record) -> RunConfig:
    runtime = _composed()[0].runtime  # any: no record tells it
    return configs.parse_run(record["config"], runtime)


@cache
def _composed(*overrides: str) -> tuple[RunConfig, dict[str, Any]]:
    """A run as it is checked, and the plain config with all the keys that an override may name without a `+`."""
    config = compose.composed(overrides)
    return compose.read(config), cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))


def _lead(run: RunConfig) -> list[str]:
    """The files of conf/ that come closest to the run: always said, so that the command can be read by itself."""
    return [f"task={run.task.name}", *_backbone(run), *_method(run), *_head(run), *_data(run)]


def _backbone(run: RunConfig) -> list[str]:
    name = run.backbone.name
    if _files("backbone").get(name, {}).get("name") == name:
        return [f"backbone={name}"]
    return ["backbone=hub", f"backbone.id={written(run.backbone.id)}", f"backbone.name={written(name)}"]


def _method(run: RunConfig) -> list[str]:
    """With a stage before: the method's file that adds the one which the task's file names, else that stage itself."""
    if run.parent is None:
        return [f"method={run.method}"]
    stage = run.parent.task.name
    if _files("task").get(run.task.name, {}).get("mixture") == stage:
        for name, file in _files("method").items():
            defaults = file.get("defaults", [])
            if run.method in defaults and {f"/task@mixtures.{stage}": stage} in defaults:
                return [f"method={name}"]
    return [f"method={run.method}", f"+task@parent.task={stage}"]


def _head(run: RunConfig) -> list[str]:
    return [] if run.head.name == "auto" else [f"head={run.head.name}"]


def _data(run: RunConfig) -> list[str]:
    asked = (run.data.source, run.data.files)
    named = (name for name, file in _files("data").items() if (file["source"], file["files"]) == asked)
    root = [FOLDER] if run.data.source == "local" else []
    return [f"data={next(named, run.data.source)}", *root]


@cache
def _files(group: str) -> dict[str, dict[str, Any]]:
    """The files of a group of conf/, each as it stands there."""
    files = sorted((compose.CONF / group).glob("*.yaml"))
    return {
        file.stem: cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(file), resolve=False))
        for file in files
    }


def _differences(run: RunConfig, lead: list[str]) -> list[str]:
    """What makes of the config that `lead` composes the run's."""
    base, plain = _composed(*lead)
    return [_override(key, value, plain) for key, value in _changes(store.dump(run), store.dump(base))]


_Key = tuple[str, ...]
_GONE = object()


def _changes(wanted: Mapping[str, Any], base: Mapping[str, Any], above: _Key = ()) -> Iterator[tuple[_Key, Any]]:
    """The keys that count whose value is another in `wanted`, and those that only `base` has: `_GONE`."""
    for name in dict.fromkeys([*base, *wanted]):
        new, old = wanted.get(name, _GONE), base.get(name, _GONE)
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            yield from _changes(new, old, (*above, name))
        elif new != old and not _never_counts(above, name):
            yield (*above, name), new


def _never_counts(above: _Key, name: str) -> bool:
    """Whether it is a key of a task that only chooses defaults."""
    return name in {"bundled", "mixture"} and "task" in above and above[-1] != "options"


def _override(key: _Key, value: Any, plain: Mapping[str, Any]) -> str:
    place = _place(key, plain)
    if value is _GONE:
        return f"~{'.'.join(place)}"
    return f"{'' if _has(plain, place) else '+'}{'.'.join(place)}={written(value)}"


def _place(key: _Key, plain: Mapping[str, Any]) -> _Key:
    """Where the key is set: the stage before may be one of `mixtures`, which `parent.task` only points at."""
    if key[:2] == ("parent", "task") and "mixtures" in plain:
        return ("mixtures", plain["parent"]["task"]["name"], *key[2:])
    return key


def _has(node: Any, key: _Key) -> bool:
    """Whether the key is there to be overridden without a `+`."""
    for name in key:
        if not isinstance(node, Mapping) or name not in node:
            return False
        node = node[name]
    return True


def written(value: Any) -> str:
    """A value as Hydra reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    """Bare where Hydra then reads the same text, else in quotes."""
    try:
        read = OverridesParser.create().parse_override(f"key={value}")
        plain = not read.is_sweep_override() and read.value() == value
    except HydraException:
        plain = False
    return value if plain else QuotedString(value, Quote.double).with_quotes()
