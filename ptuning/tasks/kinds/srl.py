"""Semantic role labelling of a given predicate: one example a predicate, BIO tags over the words.

The input is the sentence and, as second segment, the predicate's word, as in the authors' code (for RoBERTa that code
writes the letters "[SEP]" between the two; here it is the tokenizer's own separator). As there, what is labelled
includes the predicate itself (V) and pieces (C-) and references (R-) as roles of their own, and `f1` counts them all,
which is the paper's number; `f1_official` counts as the shared task's srl-eval does, without V and with the pieces
joined.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any, ClassVar

import numpy as np

from ptuning import fields, spans
from ptuning.errors import InputError
from ptuning.metrics import span_f1, srl_eval
from ptuning.spans import Span
from ptuning.tasks.base import Row, Sentence, Task
from ptuning.words import PEOPLE

VERBS = ["praised", "blamed", "called", "helped", "followed", "met", "asked", "saw", "thanked", "hired"]


def inventory(arguments: Sequence[str], modifiers: Sequence[str]) -> tuple[str, ...]:
    """All roles: the predicate, and every argument and modifier with its pieces and references."""
    plain = (*arguments, *modifiers)
    return ("V", "C-V", *plain, *(f"{mark}-{role}" for role in plain for mark in "CR"))


class SRL(Task[Sentence, list[np.ndarray]]):
    head = "token"
    metric = "f1"
    version = 1
    roles: ClassVar[tuple[str, ...]]
    agent: ClassVar[str]  # what the two sides of a verb are called
    patient: ClassVar[str]

    def examples(self, row: Row, where: str) -> list[Sentence]:
        words = tuple(fields.texts(row, "words", where))
        places = row.get("places") or [where] * len(words)
        return [self._example(words, predicate, places) for predicate in row["predicates"]]

    def _example(self, words: tuple[str, ...], predicate: Row, places: Sequence[str]) -> Sentence:
        at = fields.integer(predicate, "at", places[0])
        if not 0 <= at < len(words):
            raise InputError(f"{places[0]}: the predicate at={at} is not one of {len(words)} words: correct the line.")
        if "roles" not in predicate:
            return Sentence(words, None, words[at])
        found: list[Span] = [(role, first, last) for role, first, last in predicate["roles"]]
        for role, first, _ in found:
            if role not in self.roles:
                raise InputError(
                    f"{places[first]}: the role {role!r} is not one of {self.name}'s ({', '.join(self.roles[:6])}, "
                    "...): correct the line or remove the sentence."
                )
        return Sentence(words, tuple(self.labels.index(tag) for tag in spans.to_tags(found, len(words))), words[at])

    def official(self, rows: Iterable[Row]) -> Iterator[Row]:
        raise InputError(f"data.source=hub: {self.name} is not on the hub in a known form: choose data=local.")

    def score(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> dict[str, float]:
        gold = [spans.of_tags([self.labels[label] for label in example.labels or ()]) for example in examples]
        found = [spans.of_tags([self.labels[label] for label in answer]) for answer in answers]
        return span_f1(gold, found) | {f"{key}_official": value for key, value in srl_eval(gold, found).items()}

    def shown(self, example: Sentence, answer: np.ndarray) -> dict[str, Any]:
        """The roles of the predicate: name, words, and the places of the first and last of them."""
        found = spans.of_tags([self.labels[label] for label in answer])
        return {
            "predicate": example.about,
            "roles": [
                {"role": role, "text": " ".join(example.words[first : last + 1]), "first": first, "last": last}
                for role, first, last in found
            ],
        }

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who did what to whom, twice in a sentence: a family gives each name each part of both verbs, with the same
        words, and only the given predicate says which of the verbs is meant."""
        while True:
            names, verbs = rng.sample(PEOPLE, 4), rng.sample(VERBS, 2)
            yield [self._sentence(order, verbs) for order in permutations(names)]

    def _sentence(self, names: Sequence[str], verbs: Sequence[str]) -> Row:
        words = [names[0], verbs[0], names[1], "and", names[2], verbs[1], names[3], "."]
        return {
            "words": words,
            "predicates": [
                {"at": at, "roles": [[self.agent, at - 1, at - 1], ["V", at, at], [self.patient, at + 1, at + 1]]}
                for at in (1, 5)
            ],
        }
