"""What is found by its file's name: a method, a head, a task, a data source, ... There is no list to keep."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from ptuning.errors import InputError

T = TypeVar("T")


def names(package: str) -> list[str]:
    """The names that `package` has a file for, in alphabetical order; `base` holds what those files share."""
    return list(_names(tuple(import_module(package).__path__)))


@cache
def _names(folders: tuple[str, ...]) -> tuple[str, ...]:
    found = pkgutil.iter_modules(folders)
    return tuple(sorted(module.name for module in found if module.name != "base" and not module.ispkg))


def find(package: str, name: str, key: str) -> ModuleType:
    """The module `name` of `package`. Raises InputError, naming the config key, where there is no such file."""
    if name not in names(package):
        shown = name if name.isprintable() else repr(name)
        raise InputError(f"{key}={shown[:100]} is unknown: choose one of {', '.join(names(package))}.")
    return import_module(f"{package}.{name}")


def find_class(package: str, name: str, base: type[T], key: str) -> type[T]:
    """The one subclass of `base` that the module `name` of `package` defines. Raises InputError as `find` does."""
    module = find(package, name, key)
    (found,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
    )
    return found
