"""JSON files: one object a line, one list, or one object of objects. Places are "file:line" or "file: entry N"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptuning.errors import InputError, Refusals
from ptuning.formats import fields, text_files
from ptuning.formats.rows import Rows

LINES = "JSON lines (one object a line)"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_LONG_NUMBER = re.compile(r"\d{4000}")


def json_lines(path: Path) -> Rows:
    """The objects in a file, one a line, each with its place. Raises InputError for malformed lines, all of them."""
    found: Rows = []
    refusals = Refusals()
    for where, line in text_files.lines(path, LINES):
        if not line.strip():
            continue
        if not found and not line.lstrip().startswith("{"):
            raise InputError(f"{where}: {_what(line)}, and {LINES} is wanted: put the official file there.")
        with refusals.gather():
            found.append((where, _object_of(line, where)))
    refusals.raise_any()
    return found


def _object_of(line: str, where: str) -> dict[str, Any]:
    row = _parse(line, lambda _: where, "correct the line or remove it")
    if not isinstance(row, dict):
        raise InputError(f"{where}: the line is not a JSON object: correct the line or remove it.")
    return row


def json_list(path: Path) -> Rows:
    """The objects of a file that is one JSON list, each with its place in it. Raises InputError for anything else."""
    found = fields.records({"file": read_json(path, "one JSON list")}, "file", str(path))
    return [(f"{path}: entry {number}", row) for number, row in enumerate(found, 1)]


def json_entries(path: Path) -> Rows:
    """The objects in a file that is one JSON object of them, each with its place by its key. Raises InputError for
    anything else."""
    whole = read_json(path, "one JSON object of objects")
    if not isinstance(whole, dict):
        raise InputError(f"{path}: the file is not a JSON object of objects: put the official file there.")
    for key, row in whole.items():
        if not isinstance(row, dict):
            raise InputError(f"{path}: entry {fields.short(key)} is not a JSON object: correct it or remove it.")
    return [(f"{path}: entry {fields.short(key)}", row) for key, row in whole.items()]


def read_json(path: Path, wanted: str) -> Any:
    """What is in a file that is one JSON value. Raises InputError where it is none (`wanted`, in words)."""
    text = text_files.content(path, wanted)
    return _parse(
        text, lambda at: f"{path}:{text.count(chr(10), 0, at) + 1}", f"put the official file, {wanted}, there"
    )


def _what(line: str) -> str:
    """What a file whose first line is no JSON object seems to be."""
    if line.lstrip().startswith("["):
        return "the file is one JSON list"
    if line.lstrip().startswith("<"):
        return "the file is XML or HTML"
    for separator, name in (("\t", "tab-separated values"), (",", "comma-separated values (CSV)")):
        if separator in line:
            return f"the file looks like {name}"
    return "the line is not a JSON object"


def _parse(text: str, place: Callable[[int], str], fix: str) -> Any:
    """The value in `text`; `place` tells where one of its characters is."""
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError(f"{place(error.pos)}: not valid JSON ({error.msg}, column {error.colno}): {fix}.") from None
    except RecursionError:
        raise InputError(f"{place(0)}: JSON nested too deeply to be read: {fix}.") from None
    except _RepeatedKeyError as error:
        at = text.rfind(json.dumps(error.args[0], ensure_ascii=False))
        raise InputError(
            f"{place(max(0, at))}: an object has the key {fields.short(error.args[0])} twice: {fix}."
        ) from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        number = _LONG_NUMBER.search(text)
        at = number.start() if number else 0
        raise InputError(f"{place(at)}: the number {text[at : at + 20]}... is too long to be read: {fix}.") from None
    lone = _lone_surrogate(text)
    if lone is not None:
        raise InputError(
            f"{place(lone)}: {text[lone : lone + 6]} is half of a character (a lone surrogate) and no text: write the "
            "whole character or remove it."
        )
    return found


class _RepeatedKeyError(Exception):
    """An object has a key twice: the reader would silently keep the last."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _lone_surrogate(text: str) -> int | None:
    """Where the first escaped half of a surrogate pair without its other half stands."""
    if "\\ud" not in text and "\\uD" not in text:
        return None
    high: re.Match[str] | None = None  # the last escape, where it is a first half
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1], 16) if escape[1] else 0
        follows = high is not None and high.end() == escape.start()
        if 0xDC00 <= code < 0xE000 and follows:
            high = None
        elif high is not None:
            return high.start()
        elif 0xDC00 <= code < 0xE000:
            return escape.start()
        else:
            high = escape if 0xD800 <= code < 0xDC00 else None
    return None if high is None else high.start()
