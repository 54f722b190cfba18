"""OntoNotes 5.0 named entities (Pradhan et al., 2013), in the CoNLL-2012 shared task's English files and splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from ptuning.formats import conll2012
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.ner import NER, bio

ORIGIN = "the texts are the Linguistic Data Consortium's (LDC2013T19); *_gold_conll releases have this layout"


def folders() -> dict[str, str]:
    """Where the shared task's archives unpack to, below a data root."""
    return {
        split: f"conll-2012/v4/data/{folder}/data/english"
        for split, folder in (("train", "train"), ("dev", "development"), ("test", "test"))
    }


class OntoNotes(NER):
    name = "ontonotes"
    types = (
        "PERSON", "NORP", "FAC", "ORG", "GPE", "LOC", "PRODUCT", "DATE", "TIME", "PERCENT", "MONEY", "QUANTITY",
        "ORDINAL", "CARDINAL", "EVENT", "WORK_OF_ART", "LAW", "LANGUAGE",
    )  # fmt: skip
    labels = bio(types)
    folder = "conll-2012"
    files = folders()
    origin = ORIGIN
    hub = ("ontonotes/conll2012_ontonotesv5", "english_v4")
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    hub_tags = labels
    cues: ClassVar = {"PERSON": "the singer", "ORG": "met a director of", "GPE": "in the town of"}

    def read(self, path: Path) -> list[tuple[str, Row]]:
        return conll2012.read(path)

    def others_beside(self, path: Path) -> list[Path]:
        return conll2012.others_beside(path)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub stores a row a document."""
        sentences = (sentence for row in rows for sentence in row["sentences"])
        return (
            {"words": one["words"], "tags": [self.hub_tags[tag] for tag in one["named_entities"]]} for one in sentences
        )
