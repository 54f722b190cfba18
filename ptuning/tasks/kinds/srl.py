"""Semantic role labelling of a given predicate: one example a predicate, BIO tags over the words.

The input is the sentence and, as second segment, the predicate's word. (The authors' code writes "[SEP]" and that word
behind the sentence, so that BERT's token types are all 0 there and RoBERTa reads the letters "[SEP]".) As there, what
is labelled includes the predicate itself (V) and pieces (C-) and references (R-) as roles of their own, and `f1` is of
them all, which is the paper's number; `f1_official` counts as the shared task's srl-eval does, without V and with the
pieces joined.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations
from typing import Any, ClassVar

import numpy as np

from ptuning.errors import InputError
from ptuning.formats import fields, spans
from ptuning.formats.rows import Row
from ptuning.formats.spans import Span
from ptuning.metrics.spans import span_f1, srl_eval
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Sentence
from ptuning.tasks.kinds.miniature_words import PEOPLE
from ptuning.tasks.kinds.tags import only_tag
from ptuning.tasks.kinds.text_forms import TaggingAsText

VERBS = ["praised", "blamed", "called", "helped", "followed", "met", "asked", "seen", "thanked", "hired"]


def inventory(arguments: Sequence[str], modifiers: Sequence[str]) -> tuple[str, ...]:
    """All roles: the predicate, and every argument and modifier with its pieces and references."""
    plain = (*arguments, *modifiers)
    return ("V", "C-V", *plain, *(f"{mark}-{role}" for role in plain for mark in "CR"))


class SRL(Task[Sentence, list[np.ndarray]]):
    head = "token"
    metric = "f1"
    version = 1
    answer_key = "roles"
    asks_several = True
    roles: ClassVar[tuple[str, ...]]
    agent: ClassVar[str]  # what the two sides of a verb are called
    patient: ClassVar[str]

    def examples(self, row: Row, where: str) -> list[Sentence]:
        words = tuple(fields.texts(row, "words", where))
        places = row.get("places") or [where] * len(words)
        # A sentence may have no predicate; `records` asks for one or more.
        given = [] if row.get("predicates") == [] else fields.records(row, "predicates", where)
        return [self._example(words, predicate, places) for predicate in given]

    def _example(self, words: tuple[str, ...], predicate: Row, places: Sequence[str]) -> Sentence:
        at = fields.integer(predicate, "at", places[0])
        if not 0 <= at < len(words):
            raise InputError(f"{places[0]}: the predicate at={at} is not one of {len(words)} words: correct the line.")
        if "roles" not in predicate:
            return Sentence(words, None, words[at], places[at])
        found: list[Span] = [(role, first, last) for role, first, last in predicate["roles"]]
        for role, first, _ in found:
            if role not in self.roles:
                raise InputError(
                    f"{places[first]}: the role {fields.short(role)} is not one of {self.name}'s"
                    f" ({', '.join(self.roles[:6])}, "
                    "...): correct the line or remove the sentence."
                )
        if not any(role == "V" for role, _, _ in found):
            raise InputError(
                f"{places[at]}: the predicate {fields.short(words[at])} has no verb (V) among its roles:"
                " mark it, or remove the"
                " predicate."
            )
        try:
            tags = spans.to_tags(found, len(words))
        except ValueError as error:
            raise InputError(f"{places[0]}: {error}: correct the line or remove the sentence.") from None
        return Sentence(words, tuple(self.labels.index(tag) for tag in tags), words[at], places[at])

    def quirks(self, row: Row) -> list[str]:
        return [
            "predicates whose verb (V) stands elsewhere"
            for predicate in row["predicates"]
            if not any(role == "V" and first <= predicate["at"] <= last for role, first, last in predicate["roles"])
        ]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        raise InputError(f"data.source=hub: {self.name} is not on the hub in a known form: choose data=local.")

    def text_form(self) -> TaggingAsText:
        return TaggingAsText(self.labels)

    def score(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> dict[str, float]:
        gold = [spans.of_tags([self.labels[label] for label in example.labels or ()]) for example in examples]
        found = [spans.of_tags([self.labels[label] for label in answer]) for answer in answers]
        return span_f1(gold, found) | {f"{key}_official": value for key, value in srl_eval(gold, found).items()}

    def constant_answer(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> str | None:
        """The tag of all words: O, where nothing is found."""
        return only_tag(self.labels, answers)

    def format_prediction(self, example: Sentence, answer: np.ndarray) -> dict[str, Any]:
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
        """Who did what to whom, twice in a sentence, once in the active and once in the passive voice: a family gives
        each name, and each place, each part of both verbs equally often, with the same words. The given predicate says
        which of the verbs is meant, and the words beside it which of the two names is who."""
        while True:
            names, verbs = rng.sample(PEOPLE, 4), rng.sample(VERBS, 2)
            voices = [(True, False), (False, True)] * 12
            rng.shuffle(voices)
            yield [
                self._sentence(order, verbs, active) for order, active in zip(permutations(names), voices, strict=True)
            ]

    def _sentence(self, names: Sequence[str], verbs: Sequence[str], active: Sequence[bool]) -> Row:
        """`names` are each verb's agent and patient."""
        words: list[str] = []
        predicates = []
        for i, verb in enumerate(verbs):
            agent, patient = names[2 * i : 2 * i + 2]
            first, at, last = (len(words) + shift for shift in (0, 2, 4))
            # As many words on both sides in both voices, so that their number does not tell them apart.
            words += [agent, "has", verb, "just", patient] if active[i] else [patient, "was", verb, "by", agent]
            words.append(("and", ".")[i])
            roles = (self.agent, self.patient) if active[i] else (self.patient, self.agent)
            predicates.append({"at": at, "roles": [[roles[0], first, first], ["V", at, at], [roles[1], last, last]]})
        return {"words": words, "predicates": predicates}
