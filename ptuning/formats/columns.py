"""Column files (CoNLL): a word a line, its annotations in columns, a blank line between sentences. All functions raise
InputError for what is malformed, with its file and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptuning.errors import InputError, Refusals
from ptuning.formats import spans, text_files
from ptuning.formats.rows import Rows

WANTED = "a word a line with its columns (CoNLL)"
# ASCII only, because a word of a tweet may be, or hold, another of Unicode's spaces.
_ASCII_SPACE = " \t\r\n\v\f"
_ASCII_WORDS = re.compile(r"\S+", re.ASCII)
# With a key and a value, because tweets and prices have the word "#".
_COMMENT = re.compile(r"# (\S+) = (.*)")
_JSON = ('{"', '[{"')
_BETWEEN_DOCUMENTS = ("-DOCSTART-", "#begin document", "#end document")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a column file: of each word, its place ("file:line") and its line's cells."""

    places: list[str]
    cells: list[list[str]]
    comments: dict[str, str]  # the lines "# key = value" before it

    def column(self, index: int) -> list[str]:
        """That cell of each line."""
        return [line[index] for line in self.cells]


def sentences(path: Path, columns: int | None, separator: str | None = None) -> list[Sentence]:
    """The sentences of a CoNLL column file, where blank lines and the marks between documents end a sentence.

    A line has `columns` cells, or where that is None as many as its sentence's first. Where `separator` is None, the
    tab separates the cells of a line that has one, ASCII space those of other lines.
    """
    found: list[Sentence] = []
    current = Sentence([], [], {})
    refusals = Refusals()
    for where, line in text_files.lines(path, WANTED):
        if where.endswith(":1") and line.startswith(_JSON):
            raise InputError(f"{where}: the file is JSON, and {WANTED} is wanted: put the official file there.")
        comment = _COMMENT.fullmatch(line)
        if not line.strip(_ASCII_SPACE) or line.startswith(_BETWEEN_DOCUMENTS):
            found.append(current)
            current = Sentence([], [], {})
        elif comment:
            current.comments[comment[1]] = comment[2]
        else:
            cells = _split(line, separator)
            expected = columns or len((current.cells or [cells])[0])
            with refusals.gather():
                if len(cells) != expected:
                    raise InputError(f"{where}: the line has {len(cells)} columns, not {expected}: correct the line.")
                current.places.append(where)
                current.cells.append(cells)
    refusals.raise_any()
    return [sentence for sentence in [*found, current] if sentence.cells]


def ner_columns(path: Path) -> Rows:
    """Rows {"words", "tags", "places"} of a file whose first column is the word and whose last is the tag.

    Such are the two-column files of WNUT-17 and the four columns of CoNLL-2003.
    """
    return tagged(path, 1, -1)


def tagged(path: Path, word: int, tag: int) -> Rows:
    """Rows {"words", "tags", "places"} of a file with a word and its tag in these columns, counted from 1, or from
    the last one as -1. Raises InputError for a line without them."""
    rows: Rows = []
    width = 0
    for sentence in sentences(path, None):
        where = sentence.places[0]
        check_width(sentence, max(2, word, tag), "a word and a tag")
        if rows and len(sentence.cells[0]) != width:
            raise InputError(f"{where}: the line has {len(sentence.cells[0])} columns, not {width}: correct the line.")
        width = len(sentence.cells[0])
        cells = [sentence.column(column - (column > 0)) for column in (word, tag)]
        row = {"words": cells[0], "tags": cells[1], "places": sentence.places}
        rows.append((where, row))
    return rows


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None and "\t" not in line:
        return _ASCII_WORDS.findall(line)
    return line.split(separator or "\t")


def check_width(sentence: Sentence, least: int, what: str) -> None:
    """Raise InputError, with its place, where a sentence's first line has fewer than `least` columns."""
    found = len(sentence.cells[0])
    if found < least:
        raise InputError(
            f"{sentence.places[0]}: the line has {found} columns, not {least} or more ({what}): correct the line."
        )


def predicates(sentence: Sentence, mark: int, columns: Sequence[int]) -> list[dict[str, Any]]:
    """The predicates: the words without "-" in the column `mark`. `columns` hold their arguments, in their order."""
    at = [index for index, cell in enumerate(sentence.column(mark)) if cell != "-"]
    if len(at) != len(columns):
        raise InputError(
            f"{sentence.places[0]}: the sentence that begins here has {len(at)} predicates in column {mark + 1} and"
            f" {len(columns)} columns of arguments: give every predicate one column."
        )
    roles = [spans.of_brackets(sentence.column(column), sentence.places) for column in columns]
    return [{"at": word, "roles": [list(role) for role in its]} for word, its in zip(at, roles, strict=True)]
