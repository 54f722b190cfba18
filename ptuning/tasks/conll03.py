"""CoNLL-2003 English (Tjong Kim Sang and De Meulder, 2003): persons, places, organisations and others in Reuters news.

The official files are in IOB1, where a B- tag stands only between two entities of one type that touch; rewritten files
in BIO are read too.
"""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.ner import NER, bio


class CoNLL03(NER):
    name = "conll03"
    types = ("PER", "ORG", "LOC", "MISC")
    labels = bio(types)
    folder = "conll03"
    files: ClassVar = {
        "train": "conll03/eng.train",
        "dev": "conll03/eng.testa",
        "test": "conll03/eng.testb",
    }
    origin = (
        "the texts are Reuters', from NIST; the shared task's page has the annotation and makes eng.train from both"
    )
    hub = ("lhoestq/conll2003", "default")
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    hub_tags = labels
    cues: ClassVar = {"PER": "the singer", "ORG": "met a director of", "LOC": "in the town of"}
    iob1 = True
