"""SQuAD 1.1 and 2.0: one JSON file of articles, paragraphs and questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.json_files import read_json
from ptuning.formats.rows import Row, Rows

WANTED = "one JSON object with SQuAD's articles"


def read(path: Path) -> Rows:
    """Rows {"id", "title", "context", "question", "answers", "is_impossible"} of a SQuAD 1.1 or 2.0 file.

    Answers are {"text", "answer_start"}, none where there is no answer. Raises InputError for what is malformed, with
    its place.
    """
    whole = read_json(path, WANTED)
    if not isinstance(whole, dict):
        raise InputError(f"{path}: the file is not a JSON object: put the official file, {WANTED}, there.")
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


def _question(question: Row, where: str) -> dict[str, Any]:
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise InputError(f"{where}: is_impossible={json.dumps(impossible)} is not true or false: correct it.")
    # Without an answer, an empty list is in order; `records` asks for one or more.
    given = [] if question.get("answers") == [] else fields.records(question, "answers", where)
    if not given and not impossible:
        raise InputError(f"{where}: the question has no answers: add them, or set is_impossible to true.")
    if given and impossible:
        raise InputError(
            f"{where}: is_impossible=true, and the question has answers: remove them (or call them plausible_answers),"
            " or set is_impossible to false."
        )
    return {
        "id": question["id"],
        "question": fields.text(question, "question", where),
        "answers": [
            {"text": fields.text(answer, "text", where), "answer_start": fields.integer(answer, "answer_start", where)}
            for answer in given
        ],
        "is_impossible": impossible,
    }
