"""Where rows come from: one file a source, found by its name.

Each has `rows(task, data) -> {"train": [...], "dev": [...], ...}`, lists of (where, official row), test sets by any
other name; one that reads the user's files also `check(task, data)`, which raises InputError for what can be seen to
be wrong with where they are. Nothing ever falls from one source to another.
"""

from __future__ import annotations

from ptuning import registry
from ptuning.config import DataConfig
from ptuning.formats.rows import Rows
from ptuning.tasks.base import AnyTask


def check(task: AnyTask, data: DataConfig) -> None:
    """Raise InputError where rows cannot be had, as far as it can be seen without reading any."""
    source = registry.find(__name__, data.source, "data.source")
    if hasattr(source, "check"):
        source.check(task, data)


def rows(task: AnyTask, data: DataConfig) -> dict[str, Rows]:
    """The official rows of all splits, each with where it stands. Raises InputError as the source does."""
    found: dict[str, Rows] = registry.find(__name__, data.source, "data.source").rows(task, data)
    return task.make_splits(found)
