"""The tasks: one file a task, found by its name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from ptuning import registry
from ptuning.config import ADDED
from ptuning.errors import InputError
from ptuning.tasks.base import AnyTask, Task


def load(name: str, **options: Any) -> AnyTask:
    """The task in `tasks/<name>.py`; `options` go to its constructor.

    Raises InputError for an unknown task or an option that it does not have.
    """
    task = _find(name)
    known = list(inspect.signature(task).parameters)
    for option in options.keys() - known:
        allowed = f"its options are {', '.join(known)}" if known else "it has none"
        raise InputError(f"task.options.{option} is not an option of {name}: {allowed}, remove the key.")
    return task(**options)


def own_head(name: str) -> str:
    """The head that answers the task, unless a run chooses another. Raises InputError for an unknown task."""
    return _find(name).head


def _find(name: str) -> type[AnyTask]:
    return registry.find_class(__name__, name, Task, "task.name")  # type: ignore[type-abstract]


def hashed_options(task: AnyTask, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, as a config gives them, that stand in a run's identity: all but those that the task's constructor
    annotates as `ADDED` and that have its default."""
    hints = get_type_hints(type(task).__init__, include_extras=True)
    added = {name for name, hint in hints.items() if ADDED in getattr(hint, "__metadata__", ())}
    defaults = {name: one.default for name, one in inspect.signature(type(task)).parameters.items()}
    return {name: value for name, value in options.items() if name not in added or value != defaults[name]}
