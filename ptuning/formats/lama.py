"""LAMA (Petroni et al., 2019): a file of facts a relation, and beside it one of patterns, the first of which is LAMA's
own hand template: `trex/P36.jsonl` and `templates/P36.jsonl`. Some relations have no patterns."""

from __future__ import annotations

from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import fields, json_files
from ptuning.formats.rows import Rows

SUBJECT, OBJECT = "[X]", "[Y]"


def read(path: Path) -> Rows:
    """Rows {"sub_label", "obj_label"} of a relation's facts, with its "template" where it has one. Raises InputError
    for a malformed line, and for a pattern without a place for either."""
    template = hand_template(path.parent.parent / "templates" / path.name)
    shared = {} if template is None else {"template": template}
    return [
        (where, {key: fields.text(row, key, where) for key in ("sub_label", "obj_label")} | shared)
        for where, row in json_files.json_lines(path)
    ]


def hand_template(path: Path) -> str | None:
    """The first pattern of a file, with one place for the subject and one for the object; None without a file. Raises
    InputError where it has others."""
    found = json_files.json_lines(path) if path.exists() else []
    if not found:
        return None
    where, row = found[0]
    pattern = fields.text(row, "pattern", where)
    if (pattern.count(SUBJECT), pattern.count(OBJECT)) != (1, 1):
        raise InputError(
            f"{where}: the pattern {fields.short(pattern)} has not one {SUBJECT} and one {OBJECT}: correct the line."
        )
    return pattern
