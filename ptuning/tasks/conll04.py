"""CoNLL04 (Roth and Yih, 2004): people, places, organisations and others in news sentences.

The files are the JSON ones of the usual split (Gupta et al., 2016; Eberts and Ulges, 2020): a list of objects with
`tokens` and `entities`, each of which has `type`, `start` and `end` (exclusive).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import fields, json_files, spans
from ptuning.formats.rows import Row
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
        return [(where, _tagged(row, where)) for where, row in json_files.json_list(path)]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub has the objects of the files as they are."""
        return (_tagged(row, f"{self.hub[0]}: row {number}") for number, row in enumerate(rows, 1))


def _tagged(row: Row, where: str) -> Row:
    words = fields.texts(row, "tokens", where)
    # A sentence may have no entity; `records` asks for one or more.
    entities = [] if row.get("entities") == [] else fields.records(row, "entities", where)
    found = [
        (fields.text(one, "type", where), fields.integer(one, "start", where), fields.integer(one, "end", where) - 1)
        for one in entities
    ]
    try:
        return {"words": words, "tags": spans.to_tags(found, len(words))}
    except ValueError as error:
        raise InputError(f"{where}: {error}: correct the entry or remove it.") from None
