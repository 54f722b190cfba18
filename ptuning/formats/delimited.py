"""Tables of one's own: comma-separated values, whose quoted cells may go over several lines (RFC 4180), and
tab-separated ones, in which a quotation mark is one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptuning.errors import InputError, Refusals
from ptuning.formats import fields, text_files
from ptuning.formats.rows import Rows

WANTED = "a table of separated values (a row a line)"
LONGEST = 2**24  # characters of a cell: csv's own limit is far below what documents have


def table(path: Path, separator: str, header: bool = True) -> Rows:
    """Rows {column: text}, each at the line where it begins; without a `header` the columns are called 1, 2, …. Blank
    lines are none.

    Raises InputError for a header that names a column twice, and for rows with another number of cells or with
    quotation marks that are not closed, all of them.
    """
    found: Rows = []
    columns: list[str] = []
    refusals = Refusals()
    for where, cells in _cells(path, separator):
        if not columns:
            columns = [name.strip() for name in cells] if header else [str(at + 1) for at in range(len(cells))]
            _check_header(columns, where)
            if header:
                continue
        with refusals.gather():
            if len(cells) != len(columns):
                raise InputError(
                    f"{where}: the row has {len(cells)} cells, not {len(columns)} ({fields.short(', '.join(columns))})"
                    ": correct it, with quotation marks around a cell that has the separator in it."
                )
            found.append((where, dict(zip(columns, cells, strict=True))))
    refusals.raise_any()
    return found


def _cells(path: Path, separator: str) -> Iterator[tuple[str, list[str]]]:
    """The cells of each row that has any, with its place."""
    lines = _Lines(path)
    quoting: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if separator == "\t" else {}
    csv.field_size_limit(LONGEST)
    reader = csv.reader(lines, delimiter=separator, strict=True, **quoting)
    while True:
        where = f"{path}:{lines.read + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{where}: the row that begins here is no row of separated values ({error}): correct its quotation "
                "marks, of which two stand for one inside a quoted cell."
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield where, cells


class _Lines:
    """The lines of a file with their ends, and how many of them have been read."""

    def __init__(self, path: Path) -> None:
        self.lines = text_files.lines(path, WANTED)
        self.read = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        _, line = next(self.lines)
        self.read += 1
        return f"{line}\n"


def _check_header(columns: list[str], where: str) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise InputError(f"{where}: the header has the column {fields.short(name)} twice: name each column once.")
