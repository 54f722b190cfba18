"""Named-entity recognition: words and BIO tags, scored by whole entities (P-Tuning v2, section 4.1).

An I- tag out of nowhere (after O, or after another type) is refused, with file and line, rather than guessed at; only
CoNLL-2003's official files are in IOB1, where it begins an entity, and are rewritten.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ptuning.errors import InputError
from ptuning.formats import columns, fields, spans
from ptuning.formats.rows import Row
from ptuning.metrics.spans import span_f1
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Sentence
from ptuning.tasks.kinds.miniature_words import SURNAMES
from ptuning.tasks.kinds.tags import only_tag
from ptuning.tasks.kinds.text_forms import TaggingAsText


def bio(types: Sequence[str]) -> tuple[str, ...]:
    """O, then B- and I- of each type."""
    return ("O", *(f"{mark}-{one}" for one in types for mark in "BI"))


def is_blank(word: str) -> bool:
    """Whether there is nothing to be seen of it: spaces, control characters, marks of no width."""
    return all(one.isspace() or unicodedata.category(one) in ("Cc", "Cf") for one in word)


def format_spans(words: Sequence[str], tags: Sequence[str]) -> list[dict[str, Any]]:
    """The spans of BIO `tags`: type, words, and the places of the first and last of them."""
    return [
        {"type": kind, "text": " ".join(words[first : last + 1]), "first": first, "last": last}
        for kind, first, last in spans.of_tags(tags)
    ]


class NER(Task[Sentence, list[np.ndarray]]):
    head = "token"
    metric = "f1"
    version = 1
    answer_key = "entities"
    types: ClassVar[tuple[str, ...]]
    cues: ClassVar[Mapping[str, str]] = {}  # type -> what stands before a name of it in the miniature
    hub_tags: ClassVar[tuple[str, ...]]  # what the hub's numbers stand for
    iob1: ClassVar[bool] = False  # whether the official files are in IOB1

    def read(self, path: Path) -> list[tuple[str, Row]]:
        return columns.ner_columns(path)

    def examples(self, row: Row, where: str) -> list[Sentence]:
        words = fields.texts(row, "words", where)
        if "tags" not in row:
            return [Sentence(tuple(words), None, where=where)]
        tags = fields.texts(row, "tags", where, len(words))
        places = row.get("places") or [where] * len(tags)
        spans.check_bio(tags, places, self.types, self.iob1)
        for word, tag, place in zip(words, tags, places, strict=True):
            if tag != "O" and is_blank(word):
                raise InputError(
                    f"{place}: the word {fields.short(word)} is blank, and tagged {tag}: give the entity a"
                    " word, or tag it O."
                )
        return [Sentence(tuple(words), tuple(self.labels.index(tag) for tag in spans.iob2(tags)), where=where)]

    def text_keys(self) -> Sequence[str]:
        return ("words",)

    def row(self, texts: Sequence[str]) -> Row:
        """Words are what stands between spaces."""
        return {key: text.split() for key, text in super().row(texts).items()}

    def quirks(self, row: Row) -> list[str]:
        return ["blank words" for word in row["words"] if is_blank(word)]

    def counts(self, examples: Sequence[Sentence]) -> dict[str, int]:
        tags = [[self.labels[label] for label in example.labels or ()] for example in examples]
        return {"sentences": len(examples), "entities": sum(len(spans.of_tags(one)) for one in tags)}

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub stores tags as numbers."""
        return ({"words": row["tokens"], "tags": [self.hub_tags[tag] for tag in row["ner_tags"]]} for row in rows)

    def text_form(self) -> TaggingAsText:
        return TaggingAsText(self.labels)

    def score(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> dict[str, float]:
        """Entity precision, recall and F1 over the whole set, as conlleval and seqeval count them."""
        gold = [spans.of_tags([self.labels[label] for label in example.labels or ()]) for example in examples]
        return span_f1(gold, [spans.of_tags([self.labels[label] for label in answer]) for answer in answers])

    def constant_answer(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> str | None:
        """The tag of all words: O, where nothing is found."""
        return only_tag(self.labels, answers)

    def format_prediction(self, example: Sentence, answer: np.ndarray) -> dict[str, Any]:
        """The entities: type, words, and the places of the first and last of them."""
        return {"entities": format_spans(example.words, [self.labels[label] for label in answer])}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Names that may be of any type: what stands before one tells. A family gives each name, and each place in the
        sentence, each type equally often, with the same words, so that neither a word, nor where it stands, nor the
        bag of a sentence's words tells its type."""
        if not self.cues:
            raise InputError(f"data.source=miniature: {self.name} generates none: give its class `cues`.")
        while True:
            names, orders = _names(rng, len(self.cues)), list(permutations(self.cues))
            rng.shuffle(orders)
            yield [
                self._sentence(dict(zip(self.cues, given, strict=True)), order)
                for given, order in zip(permutations(names), orders, strict=True)
            ]

    def _sentence(self, names: Mapping[str, str], order: Sequence[str]) -> Row:
        """`names` by type, in the `order` of their types."""
        words, tags = [], []
        for kind in order:
            cue, parts = self.cues[kind].split(), names[kind].split()
            words += [*cue, *parts]
            tags += [*("O" for _ in cue), f"B-{kind}", *(f"I-{kind}" for _ in parts[1:])]
        return {"words": [*words, "."], "tags": [*tags, "O"]}


def _names(rng: random.Random, count: int) -> list[str]:
    """Names of one or two words, no word twice."""
    words = rng.sample(SURNAMES, 2 * count)
    return [" ".join(words[2 * i : 2 * i + rng.choice((1, 2))]) for i in range(count)]
