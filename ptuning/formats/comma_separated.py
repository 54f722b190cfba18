"""Comma-separated values: a row a line, cells with commas or quotation marks in them in quotation marks (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import fields, text_files
from ptuning.formats.rows import Rows

WANTED = "comma-separated values (a row a line)"


def table(path: Path, columns: Sequence[str]) -> Rows:
    """Rows {column: text} of a file whose first line names its `columns`. Blank lines are none.

    Raises InputError for another header, and for a line with another number of cells, one of more than 131,072
    characters, or a quotation mark that is not closed in it.
    """
    rows: Rows = []
    header: list[str] | None = None
    for where, line in text_files.lines(path, WANTED):
        if not line.strip():
            continue
        cells = _cells(line, where)
        if header is None:
            header = cells
            if header != list(columns):
                raise InputError(
                    f"{where}: the header is {fields.short(line)}, not {','.join(columns)}: put the official file "
                    "there."
                )
        elif len(cells) != len(columns):
            raise InputError(
                f"{where}: the line has {len(cells)} cells, not {len(columns)} ({', '.join(columns)}): correct the "
                "line."
            )
        else:
            rows.append((where, dict(zip(columns, cells, strict=True))))
    return rows


def _cells(line: str, where: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise InputError(f"{where}: the line is no row of {WANTED} ({error}): correct its quotation marks.") from None
