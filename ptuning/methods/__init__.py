"""How a backbone is adapted: one file a method, found by its name."""

from __future__ import annotations

import importlib
import pkgutil

from ptuning.errors import InputError
from ptuning.methods.base import Method


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def load(name: str) -> type[Method]:
    """The class of the method in `methods/<name>.py`. Raises InputError for a name without a file."""
    if name not in names():
        raise InputError(f"method={name} is unknown: choose one of {', '.join(names())}.")
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Method) and item.__module__ == module.__name__
    )
