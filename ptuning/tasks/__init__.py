"""The tasks. Each is the one subclass of `Task` in a module named after it; there is no list to keep."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any

from ptuning.errors import InputError
from ptuning.tasks.base import AnyTask, Example, Row, Task

__all__ = ["AnyTask", "Example", "Row", "Task", "load", "names"]


def names() -> list[str]:
    """Every task's name, in alphabetical order."""
    return sorted(
        module.name for module in pkgutil.iter_modules(__path__) if module.name != "base" and not module.ispkg
    )


def load(name: str, **options: Any) -> AnyTask:
    """The task `name`; `options` go to its constructor.

    Raises InputError for an unknown task or an option that it does not have.
    """
    if name not in names():
        raise InputError(f"task.name={name!r} is not a task: choose one of {', '.join(names())}.")
    module = import_module(f"{__name__}.{name}")
    (task,) = (
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Task) and thing.__module__ == module.__name__
    )
    known = list(inspect.signature(task).parameters)
    for option in options.keys() - known:
        allowed = f"its options are {', '.join(known)}" if known else "it has none"
        raise InputError(f"task.options.{option} is not an option of {name}: {allowed}, remove the key.")
    return task(**options)
