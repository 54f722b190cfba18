"""JSON files: one object a line, or one list. Places are "file:line" or "file: entry N"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row, Rows


def json_lines(path: Path) -> Rows:
    """The objects in a file, one a line, each with its place. Raises InputError for a malformed line."""
    found: Rows = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{path}:{number}"
                found.append((where, _parse(line, where)))
    return found


def json_list(path: Path) -> Rows:
    """The objects of a file that is one JSON list, each with its place in it. Raises InputError for anything else."""
    found = fields.records({"file": read_json(path)}, "file", str(path))
    return [(f"{path}: entry {number}", row) for number, row in enumerate(found, 1)]


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error}): put the official file there.") from None


def _parse(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: not valid JSON ({error}): correct the line or remove it.") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: the line is not a JSON object: correct the line or remove it.")
    return row
