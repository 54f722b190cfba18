"""Where rows come from: one file a source, found by its name.

Each has `rows(task, data) -> {"train": [...], "dev": [...], ...}`, lists of (where, official row), test sets by any
other name. Nothing ever falls from one source to another.
"""

from __future__ import annotations

from ptuning import registry
from ptuning.config import DataConfig
from ptuning.formats.rows import Rows
from ptuning.tasks.base import AnyTask


def rows(task: AnyTask, data: DataConfig) -> dict[str, Rows]:
    """The official rows of all splits, each with where it stands. Raises InputError as the source does."""
    found: dict[str, Rows] = registry.find(__name__, data.source, "data.source").rows(task, data)
    return task.make_splits(found)
