"""Files in the task's official format, below a folder of the user's."""

from __future__ import annotations

import glob
from pathlib import Path

from ptuning.config import DataConfig
from ptuning.errors import InputError
from ptuning.formats.rows import Row
from ptuning.tasks.base import AnyTask


def rows(task: AnyTask, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """The rows of `task.files`, or of `data.files` in their place, where `{folder}` means the task's folder.

    Raises InputError where the root or a file is missing, where another file could be meant and `data.files` does not
    say which, and where a file is empty or has a malformed line.
    """
    files = _files(task, data)
    for split, path in files.items():
        _check_choice(path, split, data, task)
    return {split: _read(path, task) for split, path in files.items()}


def check(task: AnyTask, data: DataConfig) -> None:
    """Raises InputError where the root is missing, and where `data.files` has a split that the task has not. Files may
    be missing: a sweep goes on without the tasks of which there are none."""
    _files(task, data)


def _files(task: AnyTask, data: DataConfig) -> dict[str, Path]:
    """Where the file of each split should be."""
    if data.root is None:
        raise InputError("data.root is not set: say where the data lies, for example data.root=../shared/data.")
    root = _root(data.root)
    given = data.files or {}
    task.check_splits(given)
    files = {**task.files, **{split: path.replace("{folder}", task.folder) for split, path in given.items()}}
    return {split: root / path for split, path in files.items()}


def _root(given: str) -> Path:
    try:
        root = Path(given).expanduser()
        found = root.is_dir()
    except (RuntimeError, ValueError, OSError):  # ~ of nobody, a null character, a name that is too long
        found = False
    if not found:
        raise InputError(f"data.root={given if given.isprintable() else repr(given)} is not a folder: correct it.")
    return root


def _check_choice(path: Path, split: str, data: DataConfig, task: AnyTask) -> None:
    """Raises InputError where another folder could be meant and `data.files` does not say which."""
    others = [] if split in (data.files or {}) or not path.exists() else task.others_beside(path)
    if others:
        raise InputError(
            f"{path} has {', '.join(map(str, others))} beside it, and only one of them can be the {split} set: choose"
            f" by data.files.{split}=<path below data.root>."
        )


def _read(path: Path, task: AnyTask) -> list[tuple[str, Row]]:
    if not path.exists():
        where = f" ({task.origin})" if task.origin else ""
        beside = sorted(one.name for one in path.parent.glob(f"{glob.escape(path.stem)}.*"))
        instead = f" ({', '.join(beside)} is there, unpack or convert it)" if beside else ""
        raise InputError(
            f"{path} does not exist{instead}: put {task.wanted_file} there{where}, or correct data.root or data.files."
        )
    found = task.read(path)
    if not found:
        raise InputError(f"{path} is empty: put {task.wanted_file} there.")
    return found
