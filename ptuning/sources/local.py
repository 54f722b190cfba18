"""JSON Lines files in the task's official format, below a folder of the user's."""

from __future__ import annotations

import json
from pathlib import Path

from ptuning.config import DataConfig
from ptuning.errors import InputError
from ptuning.tasks.base import Row, Task


def rows(task: Task, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """The rows of `task.files`, or of `data.files` in their place, where `{folder}` means the task's folder.

    Raises InputError where the root or a file is missing, and where a file is empty or has a malformed line.
    """
    if data.root is None:
        raise InputError("data.root is not set: say where the data lies, for example data.root=../shared/data.")
    root = Path(data.root).expanduser()
    if not root.is_dir():
        raise InputError(f"data.root={data.root} is not a folder: correct it.")
    files = dict(task.files)
    for split, path in (data.files or {}).items():
        if split not in files:
            raise InputError(f"data.files.{split} is not a split: choose from {', '.join(files)}.")
        files[split] = path.replace("{folder}", task.folder)
    return {split: _read(root / path, task) for split, path in files.items()}


def _read(path: Path, task: Task) -> list[tuple[str, Row]]:
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: put the official {task.folder} file (JSON Lines) there, or correct data.root or"
            " data.files."
        )
    found = json_lines(path)
    if not found:
        raise InputError(f"{path} is empty: put the official {task.folder} file (JSON Lines) there.")
    return found


def json_lines(path: Path) -> list[tuple[str, Row]]:
    """The objects in a file, one a line, each with its place. Raises InputError for a malformed line."""
    found: list[tuple[str, Row]] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{path}:{number}"
                found.append((where, _parse(line, where)))
    return found


def _parse(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: not valid JSON ({error}): correct the line or remove it.") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: the line is not a JSON object: correct the line or remove it.")
    return row
