"""ReCoRD (Zhang et al., 2018; SuperGLUE section 3): which entity of the passage fills the query's placeholder?"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.squad import best_over_golds, exact, token_f1
from ptuning.tasks.kinds.classification import ClassificationTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS
from ptuning.tasks.kinds.superglue import superglue_files

PLACEHOLDER = "@placeholder"


class ReCoRD(ClassificationTask):
    name = "record"
    version = 1
    head = "classification"
    asks_several = True
    labels = ("wrong", "right")
    template_fields = (*SEGMENTS, "passage", "query", "entity")
    metric = "f1"
    folder = "ReCoRD"
    files = superglue_files("ReCoRD")
    hub = ("aps/super_glue", "record")

    def examples(self, row: Row, where: str) -> list[Example]:
        """One example an entity and query; those of one query are a group.

        `answer` is (entity, the texts of the right answers).
        """
        passage, number = fields.record(row, "passage", where), fields.integer(row, "idx", where)
        text = fields.text(passage, "text", where)
        # In alphabetical order, because the hub does not keep the order of the official file.
        entities = sorted({fields.span(entity, text, where) for entity in fields.records(passage, "entities", where)})
        fields.check_distinct(fields.records(row, "qas", where), "idx", where)
        examples = []
        for qa in fields.records(row, "qas", where):
            query, group = fields.text(qa, "query", where), (number, fields.integer(qa, "idx", where))
            answers = fields.records(qa, "answers", where) if qa.get("answers") else ()  # none in test sets
            golds = tuple(fields.text(answer, "text", where) for answer in answers)
            if PLACEHOLDER not in query:
                raise InputError(
                    f"{where}: the query {fields.short(query)} has no {PLACEHOLDER}: correct the line or remove it."
                )
            if golds and not set(golds) & set(entities):
                raise InputError(
                    f"{where}: none of the answers ({', '.join(golds)[:80]}) to the query"
                    f" {fields.short(query)} is an entity of the"
                    " passage: correct the line or remove it."
                )
            first = text.replace("@highlight\n", "- ")
            examples += [
                Example(
                    ((first, query.replace(PLACEHOLDER, name)),),
                    int(name in golds) if golds else -1,
                    group,
                    (name, golds),
                    {"passage": first, "query": query, "entity": name},
                )
                for name in entities
            ]
        return examples

    def quirks(self, row: Row) -> list[str]:
        passage = row["passage"]
        entities = {passage["text"][one["start"] : one["end"] + 1] for one in passage["entities"]}
        answers = [answer["text"] for qa in row["qas"] for answer in qa.get("answers") or ()]
        return ["answers that are no entity of the passage" for answer in answers if answer not in entities]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub's rows are single queries; those of a passage follow one another."""
        for number, same in groupby(rows, lambda row: row["idx"]["passage"]):
            queries = list(same)
            text = queries[0]["passage"]
            yield {
                "idx": number,
                "passage": {"text": text, "entities": [_first_span(name, text) for name in queries[0]["entities"]]},
                "qas": [
                    {
                        "query": row["query"],
                        "answers": [{**_first_span(name, text), "text": name} for name in row["answers"]],
                        "idx": row["idx"]["query"],
                    }
                    for row in queries
                ],
            }

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        """F1 and exact match of each query's most likely entity, by the logit of class "right" as the authors do."""
        chosen = [examples[_best(members, logits)].answer for members in _queries(examples)]
        return {
            "f1": 100 * float(np.mean([best_over_golds(token_f1, *answer) for answer in chosen])),
            "em": 100 * float(np.mean([best_over_golds(exact, *answer) for answer in chosen])),
        }

    def said(self, examples: Sequence[Example], logits: np.ndarray) -> list[Hashable]:
        """The entity that its query is answered with, of all entities of that query."""
        said = {index: _best(members, logits) for members in _queries(examples) for index in members}
        return [said[index] for index in range(len(examples))]

    def constant_answer(self, examples: Sequence[Example], logits: np.ndarray) -> str | None:
        """Entities are ranked: only where all are alike, it says nothing."""
        return "all entities alike" if np.ptp(logits[:, 1]) == 0 else None

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who was given the thing? Swapping giver and taker in the passage flips the answer."""
        while True:
            people, thing = rng.sample(PEOPLE, 2), rng.choice(THINGS)
            family: list[Row] = []
            for giver, taker in (people, people[::-1]):
                text = f"{giver} gave the {thing} to {taker}.\n@highlight\nA gift"
                answer = {**_first_span(taker, text), "text": taker}
                entities = [_first_span(name, text) for name in (giver, taker)]
                qa = {"query": f"{PLACEHOLDER} has the {thing}.", "answers": [answer], "idx": 0}
                family.append({"source": "miniature", "passage": {"text": text, "entities": entities}, "qas": [qa]})
            yield family


def _queries(examples: Sequence[Example]) -> list[list[int]]:
    """Where the entities of each query stand among the examples."""
    queries: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        queries[example.group].append(index)
    return list(queries.values())


def _best(members: Sequence[int], logits: np.ndarray) -> int:
    """The likeliest entity of a query."""
    return max(members, key=lambda index: logits[index, 1])


def _first_span(name: str, text: str) -> dict[str, Any]:
    """Where `name` first stands in `text`, its end inclusive."""
    start = text.index(name)
    return {"start": start, "end": start + len(name) - 1}
