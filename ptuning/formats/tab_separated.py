"""Tab-separated values: a row a line, its cells between the tabs as they stand. There is no quoting: a quotation mark
is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import fields, text_files
from ptuning.formats.rows import Rows

WANTED = "tab-separated values (a row a line)"


def table(path: Path, wanted: Sequence[str], columns: Sequence[str] | None = None) -> Rows:
    """Rows {column: text} of a file whose first line names its columns, the `wanted` ones among them, or whose
    `columns` are these. Blank lines are none.

    Raises InputError for a header that lacks a wanted column or has one twice, and for a line with another number of
    cells.
    """
    rows: Rows = []
    for where, line in text_files.lines(path, WANTED):
        cells = line.split("\t")
        if not line.strip():
            continue
        if columns is None:
            columns = _header(cells, wanted, where)
            continue
        if len(cells) != len(columns):
            raise InputError(
                f"{where}: the line has {len(cells)} cells, not {len(columns)} ({', '.join(columns)[:200]}): correct "
                "the line."
            )
        rows.append((where, dict(zip(columns, cells, strict=True))))
    return rows


def _header(cells: Sequence[str], wanted: Sequence[str], where: str) -> Sequence[str]:
    for name in wanted:
        if name not in cells:
            raise InputError(
                f"{where}: the header has no column {name!r}, it has {fields.short(', '.join(cells))}: put the "
                "official file there."
            )
    for name in cells:
        if cells.count(name) > 1:
            raise InputError(f"{where}: the header has the column {fields.short(name)} twice: name each column once.")
    return cells
