"""Checked access to the fields of official rows.

`where` (file and line) opens every message. All functions raise InputError where a field is missing or of another
type than the official schema has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ptuning.errors import InputError


def short(value: Any) -> str:
    """A value as a message has it: the beginning of a long one."""
    whole = repr(value)
    return whole if len(whole) <= 80 else f"{whole[:80]}..."


def text(row: Mapping[str, Any], key: str, where: str) -> str:
    """A text."""
    value = _present(row, key, where)
    if not isinstance(value, str):
        raise _wrong(where, key, value, "a text")
    return value


def texts(row: Mapping[str, Any], key: str, where: str, count: int | None = None) -> list[str]:
    """A list of texts with at least one entry, or with `count` entries."""
    value = _present(row, key, where)
    if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
        raise _wrong(where, key, value, "a list of one or more texts")
    if count is not None and len(value) != count:
        raise InputError(f"{where}: {key} has {len(value)} entries for {count} words: give each word one.")
    return value


def integer(row: Mapping[str, Any], key: str, where: str) -> int:
    """A whole number, of 64 bits."""
    value = _present(row, key, where)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(where, key, value, "an integer")
    if abs(value) >= 2**63:
        raise _wrong(where, key, value, "an integer of 64 bits")
    return value


def check_distinct(rows: Sequence[Mapping[str, Any]], key: str, where: str) -> None:
    """Raises InputError where two of the rows have the same integer as `key`."""
    numbers = [integer(row, key, where) for row in rows]
    for number in numbers:
        if numbers.count(number) > 1:
            raise InputError(
                f"{where}: {key}={number} stands twice, and answers are grouped by it: give each its own."
            )


def record(row: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """An object with keys."""
    value = _present(row, key, where)
    if not isinstance(value, Mapping):
        raise _wrong(where, key, value, "an object")
    return value


def records(row: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    """A list of objects with at least one entry."""
    value = _present(row, key, where)
    if not isinstance(value, list) or not value or not all(isinstance(entry, Mapping) for entry in value):
        raise _wrong(where, key, value, "a list of one or more objects")
    return value


def label(row: Mapping[str, Any], allowed: Sequence[str | bool | int], where: str) -> int:
    """The position of the row's label in `allowed`, -1 where the row has none, as in test sets."""
    value = row.get("label")
    if value is None:
        return -1
    # By type as well, because True == 1 in Python.
    if type(value) is not type(allowed[0]) or value not in allowed:
        shown = ", ".join(name if isinstance(name, str) else json.dumps(name) for name in allowed)
        raise InputError(f"{where}: label {short(value)} is not one of {shown}: correct the line or remove it.")
    return allowed.index(value)


def span(row: Mapping[str, Any], passage: str, where: str) -> str:
    """The part of `passage` between `start` and `end`; as in ReCoRD, `end` is inclusive."""
    start, end = integer(row, "start", where), integer(row, "end", where)
    if not 0 <= start <= end < len(passage):
        raise InputError(
            f"{where}: the span {start} to {end} is not inside the passage of {len(passage)} characters:"
            " correct the line or remove it."
        )
    return passage[start : end + 1]


def _present(row: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in row:
        raise InputError(
            f"{where}: the key {key!r} is missing, the row has {', '.join(row)[:200] or 'no keys'}:"
            " use the task's official file format."
        )
    return row[key]


def _wrong(where: str, key: str, value: Any, expected: str) -> InputError:
    shown = json.dumps(value, default=str)[:60]
    return InputError(f"{where}: {key}={shown} is not {expected}: correct the line or remove it.")
