"""CoNLL04 (Roth and Yih, 2004): people, places, organisations and others in news sentences.

The files are the JSON ones of the usual split (Gupta et al., 2016; Eberts and Ulges, 2020): a list of objects with
`tokens` and `entities`, each of which has `type`, `start` and `end` (exclusive).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from ptuning import formats, spans
from ptuning.tasks.base import Row
from ptuning.tasks.kinds.ner import NER, bio


class CoNLL04(NER):
    name = "conll04"
    types = ("Peop", "Org", "Loc", "Other")
    labels = bio(types)
    folder = "conll04"
    files: ClassVar = {
        "train": "conll04/conll04_train.json",
        "dev": "conll04/conll04_dev.json",
        "test": "conll04/conll04_test.json",
    }
    origin = "SpERT's script fetches these files (scripts/fetch_datasets.sh in lavis-nlp/spert)"
    hub = ("DFKI-SLT/conll04", "default")
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    cues: ClassVar = {"Peop": "the singer", "Org": "met a director of", "Loc": "in the town of"}

    def read(self, path: Path) -> list[tuple[str, Row]]:
        found = formats.json_list(path)
        return list(zip((where for where, _ in found), self.official(row for _, row in found), strict=True))

    def official(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Of the JSON files, and of the hub, which has them as they are."""
        for row in rows:
            found = [(entity["type"], entity["start"], entity["end"] - 1) for entity in row["entities"]]
            yield {"words": row["tokens"], "tags": spans.to_tags(found, len(row["tokens"]))}
