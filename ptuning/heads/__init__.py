"""From hidden states to predictions: one file a head, found by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptuning import registry, tasks
from ptuning.config import Recorded, RunConfig, Schema, parse
from ptuning.errors import InputError
from ptuning.heads.base import Head
from ptuning.tasks.base import AnyTask

registry.open_to_plugins(__name__)


def load(name: str) -> type[Head]:
    """The class of the head in `heads/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Head, "head")  # type: ignore[type-abstract]


def of_run(config: RunConfig, task: AnyTask) -> type[Head]:
    """The head of a run on `task`: the one that its config names, the task's own where that is `auto`.

    Raises InputError for a head that cannot answer such a task, or that has other keys than the config.
    """
    name = task.head if config.head.name == "auto" else config.head.name
    head = load(name)
    if not _answers(name, task):
        fitting = ", ".join(["auto", *(other for other in registry.names(__name__) if _answers(other, task))])
        raise InputError(f"head={name} cannot answer task.name={task.name}: choose one of {fitting}.")
    keys(config, head)
    head.check(config, task)
    return head


def keys(config: Recorded, head: type[Head]) -> Schema | None:
    """The head's own `head.*` keys. Raises InputError for one that it does not have, or a wrong value."""
    if head.Keys is not None:
        return parse(head.Keys, config.head.keys, "head")
    for key in config.head.keys:
        raise InputError(f"head.{key} is not a key of head={config.head.name}, which has none: remove it.")
    return None


def name_of(head: type[Head]) -> str:
    """What a config calls it."""
    return head.__module__.rpartition(".")[2]


def usual_dropout(task: Mapping[str, Any], head: Mapping[str, Any]) -> float:
    """`train.head_dropout` where nothing else is said (in conf/), from a config's `task` and `head` as mappings: that
    of the head; of a mixture with several, the most. What is wrong with a name is refused when the run is read."""
    members = task["tasks"].values() if "tasks" in task else [task]
    try:
        chosen = {
            tasks.own_head(one["name"], one.get("kind")) if head["name"] == "auto" else head["name"] for one in members
        }
        return max(load(name).usual_dropout for name in chosen)
    except InputError:
        return Head.usual_dropout


def template_of(task: Mapping[str, Any], pattern: str | None, part: str) -> Any:
    """The `text`, or the `words`, of a template of a config's `task`: of the first, where no `pattern` is named. None,
    or no words, where there is none, which is refused when the run is read."""
    templates = task.get("templates") or {}
    name = next(iter(templates), None) if pattern is None else pattern
    return templates.get(name, {}).get(part, {} if part == "words" else None)


def _answers(name: str, task: AnyTask) -> bool:
    return task.head in (name, *load(name).also_answers)
