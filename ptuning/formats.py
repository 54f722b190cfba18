"""Readers of the official file formats: every one returns the rows of a file, each with its place.

A place is "file:line", or "file: question ID" in SQuAD's files, which are one line. All readers raise InputError there
where a file is malformed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ptuning import fields, spans
from ptuning.errors import InputError

Row = Mapping[str, Any]
Rows = list[tuple[str, Row]]

# ASCII only, because a word of a tweet may be, or hold, another of Unicode's spaces.
_ASCII_SPACE = " \t\r\n\v\f"
_ASCII_WORDS = re.compile(r"\S+", re.ASCII)
# With a key and a value, because tweets and prices have the word "#".
_COMMENT = re.compile(r"# (\S+) = (.*)")
_BETWEEN_DOCUMENTS = ("-DOCSTART-", "#begin document", "#end document")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a column file: of each word, its place ("file:line") and its line's cells."""

    places: list[str]
    cells: list[list[str]]
    comments: dict[str, str]  # the lines "# key = value" before it

    def column(self, index: int) -> list[str]:
        return [line[index] for line in self.cells]


def json_lines(path: Path) -> Rows:
    """The objects in a file, one a line, each with its place. Raises InputError for a malformed line."""
    found: Rows = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{path}:{number}"
                found.append((where, _parse(line, where)))
    return found


def sentences(path: Path, columns: int | None, separator: str | None = None) -> list[Sentence]:
    """The sentences of a CoNLL column file, where blank lines and the marks between documents end a sentence.

    A line has `columns` cells, or where that is None as many as its sentence's first. Where `separator` is None, the
    tab separates the cells of a line that has one, ASCII space those of other lines.
    """
    found: list[Sentence] = []
    current = Sentence([], [], {})
    for where, line in _lines(path):
        comment = _COMMENT.fullmatch(line)
        if not line.strip(_ASCII_SPACE) or line.startswith(_BETWEEN_DOCUMENTS):
            found.append(current)
            current = Sentence([], [], {})
        elif comment:
            current.comments[comment[1]] = comment[2]
        else:
            cells = _split(line, separator)
            expected = columns or len((current.cells or [cells])[0])
            if len(cells) != expected:
                raise InputError(f"{where}: the line has {len(cells)} columns, not {expected}: correct the line.")
            current.places.append(where)
            current.cells.append(cells)
    return [sentence for sentence in [*found, current] if sentence.cells]


def ner_columns(path: Path) -> Rows:
    """Rows {"words", "tags", "places"} of a file whose first column is the word and whose last is the tag.

    Such are the two-column files of WNUT-17 and the four columns of CoNLL-2003.
    """
    rows: Rows = []
    width = 0
    for sentence in sentences(path, None):
        where = sentence.places[0]
        _check_width(sentence, 2, "a word and a tag")
        if rows and len(sentence.cells[0]) != width:
            raise InputError(f"{where}: the line has {len(sentence.cells[0])} columns, not {width}: correct the line.")
        width = len(sentence.cells[0])
        row = {"words": sentence.column(0), "tags": sentence.column(-1), "places": sentence.places}
        rows.append((where, row))
    return rows


def conll2012(path: Path) -> Rows:
    """Rows {"words", "tags", "predicates", "places"} of a `*_gold_conll` file, or of all below a folder, sorted.

    The tags are the named entities', in BIO. A predicate is {"at": word, "roles": [[label, first, last], ...]}.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*_gold_conll"))
    if not files:
        raise InputError(f"{path} is neither a file nor a folder with *_gold_conll files: correct the path.")
    rows: Rows = []
    for file in files:
        for sentence in sentences(file, None):
            _check_width(sentence, 12, "CoNLL-2012's 11, one a predicate, and the coreference")
            names = spans.of_brackets(sentence.column(10), sentence.places)
            row = {
                "words": sentence.column(3),
                "tags": spans.to_tags(names, len(sentence.cells)),
                "predicates": _predicates(sentence, 7, range(11, len(sentence.cells[0]) - 1)),
                "places": sentence.places,
            }
            rows.append((sentence.places[0], row))
    return rows


def props(words_path: Path, props_path: Path) -> Rows:
    """Rows {"words", "predicates", "places"} of CoNLL-2005's parallel files of words and of propositions.

    Predicates are as in `conll2012`, the places those of the propositions.
    """
    rows: Rows = []
    for words, sentence in zip_longest(sentences(words_path, None), sentences(props_path, None)):
        _check_parallel(words, sentence, words_path, props_path)
        predicates = _predicates(sentence, 0, range(1, len(sentence.cells[0])))
        row = {"words": words.column(0), "predicates": predicates, "places": sentence.places}
        rows.append((sentence.places[0], row))
    return rows


def ewt(path: Path) -> Rows:
    """Rows {"words", "predicates", "genre", "places"} of PropBank's English Web Treebank, predicates as above.

    The columns are index, word, tag, parse, lemma, roleset and one a predicate; "# sent_id = GENRE-..." comes first.
    """
    rows: Rows = []
    for sentence in sentences(path, None, "\t"):
        where = sentence.places[0]
        _check_width(sentence, 6, "index, word, tag, parse, lemma, roleset, and one a predicate")
        if "sent_id" not in sentence.comments:
            raise InputError(f"{where}: no line '# sent_id = GENRE-...' precedes the sentence: add it.")
        row = {
            "words": sentence.column(1),
            "predicates": _predicates(sentence, 5, range(6, len(sentence.cells[0]))),
            "genre": sentence.comments["sent_id"].partition("-")[0],
            "places": sentence.places,
        }
        rows.append((where, row))
    return rows


def squad(path: Path) -> Rows:
    """Rows {"id", "title", "context", "question", "answers", "is_impossible"} of a SQuAD 1.1 or 2.0 file.

    Answers are {"text", "answer_start"}, none where there is no answer.
    """
    whole = _json(path)
    if not isinstance(whole, dict):
        raise InputError(f"{path}: the file is not a JSON object: put the official file there.")
    rows: Rows = []
    for number, article in enumerate(fields.records(whole, "data", str(path)), 1):
        where = f"{path}: article {number}"
        title = fields.text(article, "title", where)
        for position, paragraph in enumerate(fields.records(article, "paragraphs", where), 1):
            context = fields.text(paragraph, "context", f"{where}, paragraph {position}")
            for question in fields.records(paragraph, "qas", f"{where}, paragraph {position}"):
                asked = f"{path}: question {fields.text(question, 'id', f'{where}, paragraph {position}')}"
                rows.append((asked, {"title": title, "context": context, **_question(question, asked)}))
    return rows


def json_list(path: Path) -> Rows:
    """The objects of a file that is one JSON list, each with its place in it. Raises InputError for anything else."""
    found = fields.records({"file": _json(path)}, "file", str(path))
    return [(f"{path}: entry {number}", row) for number, row in enumerate(found, 1)]


def _json(path: Path) -> Any:
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


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines without their ends, each with its place. Only \\n ends a line: words may hold U+2028 and the like."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}:{number}"
            try:
                yield where, line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise InputError(f"{where}: not valid UTF-8 ({error}): save the file as UTF-8.") from None


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None and "\t" not in line:
        return _ASCII_WORDS.findall(line)
    return line.split(separator or "\t")


def _check_width(sentence: Sentence, least: int, what: str) -> None:
    found = len(sentence.cells[0])
    if found < least:
        raise InputError(
            f"{sentence.places[0]}: the line has {found} columns, not {least} or more ({what}): correct the line."
        )


def _predicates(sentence: Sentence, mark: int, columns: Sequence[int]) -> list[dict[str, Any]]:
    """The predicates: the words without "-" in the column `mark`. `columns` hold their arguments, in their order."""
    at = [index for index, cell in enumerate(sentence.column(mark)) if cell != "-"]
    if len(at) != len(columns):
        raise InputError(
            f"{sentence.places[0]}: the sentence that begins here has {len(at)} predicates in column {mark + 1} and"
            f" {len(columns)} columns of arguments: give every predicate one column."
        )
    roles = [spans.of_brackets(sentence.column(column), sentence.places) for column in columns]
    return [{"at": word, "roles": [list(role) for role in its]} for word, its in zip(at, roles, strict=True)]


def _check_parallel(words: Sentence | None, props: Sentence | None, words_path: Path, props_path: Path) -> None:
    """Raises InputError where one file has a sentence, or a sentence a line, that the other has not."""
    if words is None or props is None:
        further, other = (props, words_path) if words is None else (words, props_path)
        assert further is not None
        raise InputError(f"{further.places[0]}: {other} has no such sentence: give two files of the same sentences.")
    short, long = sorted((words.places, props.places), key=len)
    if len(short) < len(long):
        raise InputError(
            f"{long[len(short)]}: the sentence goes on here, and ends at {short[-1]} in the other file: give two files"
            " with the same lines."
        )


def _question(question: Row, where: str) -> dict[str, Any]:
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise InputError(f"{where}: is_impossible={json.dumps(impossible)} is not true or false: correct it.")
    # Without an answer, an empty list is in order; `records` asks for one or more.
    given = [] if question.get("answers") == [] else fields.records(question, "answers", where)
    if not given and not impossible:
        raise InputError(f"{where}: the question has no answers: add them, or set is_impossible to true.")
    return {
        "id": question["id"],
        "question": fields.text(question, "question", where),
        "answers": [
            {"text": fields.text(answer, "text", where), "answer_start": fields.integer(answer, "answer_start", where)}
            for answer in given
        ],
        "is_impossible": impossible,
    }
