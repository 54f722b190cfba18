"""WNUT 2017, emerging and rare entities (Derczynski et al., 2017): noisy user text. Freely available."""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.ner import NER, bio


class WNUT17(NER):
    name = "wnut17"
    types = ("corporation", "creative-work", "group", "location", "person", "product")
    labels = bio(types)
    folder = "ner/wnut17"
    files: ClassVar = {
        "train": "ner/wnut17/train.conll",
        "dev": "ner/wnut17/dev.conll",
        "test": "ner/wnut17/test.conll",
    }
    origin = "github.com/leondz/emerging_entities_17, CC BY 4.0, its files renamed"
    hub = ("leondz/wnut_17", "wnut_17")
    hub_revision = "refs/convert/parquet"
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    hub_tags = labels
    cues: ClassVar = {"person": "the singer", "group": "plays in the band", "location": "in the town of"}
