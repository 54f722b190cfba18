"""Where rows come from: `hub`, `local`, `package`, `miniature`, each a module named after it.

Each has `rows(task, data) -> {"train": [...], "dev": [...], ...}`, lists of (where, official row), test sets by any
other name. Nothing ever falls from
one source to another.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ptuning.config import DataConfig
from ptuning.errors import InputError
from ptuning.tasks.base import AnyTask, Row

Rows = dict[str, list[tuple[str, Row]]]


def names() -> list[str]:
    """Every source's name, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def rows(task: AnyTask, data: DataConfig) -> Rows:
    """The official rows of all splits, each with where it stands. Raises InputError as the source does."""
    if data.source not in names():
        raise InputError(f"data.source={data.source!r} is not a source: choose one of {', '.join(names())}.")
    found: Rows = import_module(f"{__name__}.{data.source}").rows(task, data)
    return task.arranged(found)
