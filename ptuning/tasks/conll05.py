"""CoNLL-2005 (Carreras and Màrquez, 2005): PropBank roles over the Wall Street Journal, tested there and on the Brown
corpus."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import conll2005
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.ner import bio
from ptuning.tasks.kinds.srl import SRL, inventory


class CoNLL05(SRL):
    name = "conll05"
    roles = inventory(
        ("A0", "A1", "A2", "A3", "A4", "A5", "AA"),
        (
            "AM", "AM-ADV", "AM-CAU", "AM-DIR", "AM-DIS", "AM-EXT", "AM-LOC", "AM-MNR", "AM-MOD", "AM-NEG", "AM-PNC",
            "AM-PRD", "AM-REC", "AM-TM", "AM-TMP",
        ),
    )  # fmt: skip
    labels = bio(roles)
    agent, patient = "A0", "A1"
    folder = "conll05"
    files: ClassVar = {
        "train": "conll05/train.props",
        "dev": "conll05/devel.props",
        "wsj": "conll05/test.wsj.props",
        "brown": "conll05/test.brown.props",
    }
    origin = (
        "the texts are the Linguistic Data Consortium's (Treebank-3); the shared task's page has the props and makes "
        "the words from it: put each X.props beside its X.words, sections joined"
    )
    hub = None

    def read(self, path: Path) -> list[tuple[str, Row]]:
        words = path.with_suffix(".words")
        if not words.exists():
            raise InputError(f"{words} does not exist: put the words of {path.name} there ({self.origin}).")
        return conll2005.read(words, path)
