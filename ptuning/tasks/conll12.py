"""CoNLL-2012 (Pradhan et al., 2013): PropBank roles over OntoNotes 5.0, the shared task's English files and splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import conll2012, spans
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.ner import bio
from ptuning.tasks.kinds.srl import SRL, inventory
from ptuning.tasks.ontonotes import ORIGIN, folders


class CoNLL12(SRL):
    name = "conll12"
    roles = inventory(
        ("ARG0", "ARG1", "ARG2", "ARG3", "ARG4", "ARG5", "ARGA"),
        (
            "ARGM-ADJ", "ARGM-ADV", "ARGM-CAU", "ARGM-COM", "ARGM-DIR", "ARGM-DIS", "ARGM-DSP", "ARGM-EXT", "ARGM-GOL",
            "ARGM-LOC", "ARGM-LVB", "ARGM-MNR", "ARGM-MOD", "ARGM-NEG", "ARGM-PNC", "ARGM-PRD", "ARGM-PRP", "ARGM-PRR",
            "ARGM-PRX", "ARGM-REC", "ARGM-TMP",
        ),
    )  # fmt: skip
    labels = bio(roles)
    agent, patient = "ARG0", "ARG1"
    folder = "conll-2012"
    files = folders()
    origin = ORIGIN
    hub = ("ontonotes/conll2012_ontonotesv5", "english_v4")
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}

    def read(self, path: Path) -> list[tuple[str, Row]]:
        return conll2012.read(path)

    def others_beside(self, path: Path) -> list[Path]:
        return conll2012.others_beside(path)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub stores a row a document, and a predicate's roles as BIO tags."""
        for sentence in (sentence for row in rows for sentence in row["sentences"]):
            framed = [spans.of_tags(frame["frames"]) for frame in sentence["srl_frames"]]
            predicates = [{"at": _verb(found), "roles": [list(one) for one in found]} for found in framed]
            yield {"words": sentence["words"], "predicates": predicates}


def _verb(found: Sequence[spans.Span]) -> int:
    """Where a frame has its predicate."""
    at = [first for role, first, _ in found if role == "V"]
    if not at:
        raise InputError("data.source=hub: conll12 has a frame without its verb (V): choose data=local.")
    return at[0]
