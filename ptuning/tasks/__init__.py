"""The tasks: one file a task, found by its name."""

from __future__ import annotations

import inspect
from typing import Any

from ptuning import registry
from ptuning.errors import InputError
from ptuning.tasks.base import AnyTask, Task


def load(name: str, **options: Any) -> AnyTask:
    """The task in `tasks/<name>.py`; `options` go to its constructor.

    Raises InputError for an unknown task or an option that it does not have.
    """
    task = registry.find_class(__name__, name, Task, "task.name")  # type: ignore[type-abstract]
    known = list(inspect.signature(task).parameters)
    for option in options.keys() - known:
        allowed = f"its options are {', '.join(known)}" if known else "it has none"
        raise InputError(f"task.options.{option} is not an option of {name}: {allowed}, remove the key.")
    return task(**options)
