"""PropBank over the English Web Treebank (Bies et al., 2012; propbank-release): freely available semantic roles.

One genre is held out of training and development, and its part of the test file is a test set of its own: the
out-of-domain set, as Brown is for CoNLL-2005.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import ewt, fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.ner import bio
from ptuning.tasks.kinds.srl import SRL, inventory

GENRES = ("answers", "email", "newsgroup", "reviews", "weblog")


class EWT(SRL):
    name = "ewt"
    roles = inventory(
        ("ARG0", "ARG1", "ARG2", "ARG3", "ARG4", "ARG5", "ARGA", "ARG1-DSP"),
        (
            "ARGM-ADJ", "ARGM-ADV", "ARGM-CAU", "ARGM-COM", "ARGM-CXN", "ARGM-DIR", "ARGM-DIS", "ARGM-EXT", "ARGM-GOL",
            "ARGM-LOC", "ARGM-LVB", "ARGM-MNR", "ARGM-MOD", "ARGM-NEG", "ARGM-PRD", "ARGM-PRP", "ARGM-PRR", "ARGM-REC",
            "ARGM-TMP",
        ),
    )  # fmt: skip
    labels = bio(roles)
    agent, patient = "ARG0", "ARG1"
    folder = "srl/ewt"
    files: ClassVar = {
        "train": "srl/ewt/train.conll",
        "dev": "srl/ewt/dev.conll",
        "test": "srl/ewt/test.conll",
    }
    origin = "the roles: propbank/propbank-release; the words: UD_English-EWT; CC BY-SA 4.0"
    hub = None

    def __init__(self, held_out: str = "weblog", genre: str | None = None) -> None:
        """`genre`: learn from that one alone, None for all but the held-out one."""
        for key, value in (("held_out", held_out), ("genre", genre or held_out)):
            if value not in GENRES:
                raise InputError(f"task.options.{key}={value!r} is not a genre: choose one of {', '.join(GENRES)}.")
        if genre == held_out:
            raise InputError(f"task.options.genre={genre!r} is held out: choose another genre, or hold out another.")
        self.held_out, self.genre = held_out, genre

    def read(self, path: Path) -> list[tuple[str, Row]]:
        rows = ewt.read(path)
        for where, row in rows:
            if row["genre"] not in GENRES:
                raise InputError(
                    f"{where}: the genre {fields.short(row['genre'])} is not one of {', '.join(GENRES)}:"
                    " correct sent_id."
                )
        return rows

    def make_splits(self, splits: dict[str, list[tuple[str, Row]]]) -> dict[str, list[tuple[str, Row]]]:
        """The held-out genre apart. A miniature has no genres."""
        inside = {name: [one for one in rows if self._inside(one[1])] for name, rows in splits.items()}
        outside = [one for one in splits["test"] if one[1].get("genre") == self.held_out]
        return inside | ({"out_of_domain": outside} if outside else {})

    def _inside(self, row: Row) -> bool:
        genre = row.get("genre")
        return genre is None or (genre != self.held_out and self.genre in (None, genre))
