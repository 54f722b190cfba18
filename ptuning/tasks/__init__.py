"""The tasks: one file a task, found by its name; and those that YAML alone declares, by their kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ptuning import registry
from ptuning.config import ADDED, TaskConfig, parse
from ptuning.errors import InputError
from ptuning.tasks import custom
from ptuning.tasks.base import AnyTask, Task
from ptuning.tasks.custom.base import CustomTask


def of(config: TaskConfig) -> AnyTask:
    """The task that a config names, or, where it has a kind, declares. Raises InputError for a task, a kind or an
    option that is unknown."""
    if config.kind is None:
        return load(config.name, **config.options)
    kind = find_kind(config.kind)
    return kind(config.name, parse(kind.Options, config.options, "task.options"))


def find_kind(name: str) -> type[CustomTask[Any, Any]]:
    """The kind of tasks in `tasks/custom/<name>.py`. Raises InputError for an unknown one."""
    return registry.find_class(custom.__name__, name, CustomTask, "task.kind")  # type: ignore[type-abstract]


registry.open_to_plugins(__name__)


def load(name: str, **options: Any) -> AnyTask:
    """The task in `tasks/<name>.py`; `options` go to its constructor.

    Raises InputError for an unknown task or an option that it does not have.
    """
    task = _find(name)
    known = list(_defaults(task, task.__init__))
    for option in options.keys() - known:
        allowed = f"its options are {', '.join(known)}" if known else "it has none"
        raise InputError(f"task.options.{option} is not an option of {name}: {allowed}, remove the key.")
    return task(**_typed(task.__init__, options))


def own_head(name: str, kind: str | None = None) -> str:
    """The head that answers the task, unless a run chooses another. Raises InputError for an unknown task or kind."""
    return (_find(name) if kind is None else find_kind(kind)).head


def _find(name: str) -> type[AnyTask]:
    return registry.find_class(__name__, name, Task, "task.name")  # type: ignore[type-abstract]


def hashed_options(task: AnyTask, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, as a config gives them, that stand in a run's identity: all but those that the task's constructor
    annotates as `ADDED` and that have its default."""
    constructor = type(task).__init__
    added, defaults = _added(constructor), _defaults(type(task), constructor)
    return {
        name: value
        for name, value in _typed(constructor, options).items()
        if name not in added or value != defaults[name]
    }


def _typed(constructor: Callable[..., None], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the types that the constructor annotates: `1` is `1.0` where it takes a float. Raises InputError
    where one is of another type."""
    return {name: _value(constructor, name, value) for name, value in options.items()}


def _value(constructor: Callable[..., None], name: str, value: Any) -> Any:
    try:
        return _type(constructor, name).validate_python(value, strict=True)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise InputError(f"task.options.{name}={value!r} is refused: {said[0].lower() + said[1:]}.") from None


@cache
def _type(constructor: Callable[..., None], name: str) -> TypeAdapter[Any]:
    hint = get_type_hints(constructor, include_extras=True).get(name, Any)
    return TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))


@cache  # for each constructor, since both are slow
def _added(constructor: Callable[..., None]) -> frozenset[str]:
    """The options that the constructor annotates as `ADDED`."""
    hints = get_type_hints(constructor, include_extras=True)
    return frozenset(name for name, hint in hints.items() if ADDED in getattr(hint, "__metadata__", ()))


@cache
def _defaults(task: type[AnyTask], constructor: Callable[..., None]) -> Mapping[str, Any]:
    """The task's options with their defaults."""
    return {name: one.default for name, one in inspect.signature(task).parameters.items()}
