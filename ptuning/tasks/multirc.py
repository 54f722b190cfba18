"""MultiRC (Khashabi et al., 2018; SuperGLUE section 3): which of a question's answers are right?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.metrics.classification import binary_f1, exact_match_by_group
from ptuning.tasks.kinds.classification import ClassificationTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS
from ptuning.tasks.kinds.superglue import superglue_files


class MultiRC(ClassificationTask):
    name = "multirc"
    version = 1
    head = "classification"
    asks_several = True
    labels = ("wrong", "right")
    template_fields = (*SEGMENTS, "passage", "question", "answer")
    metric = "f1a"
    folder = "MultiRC"
    files = superglue_files("MultiRC")
    hub = ("aps/super_glue", "multirc")

    def examples(self, row: Row, where: str) -> list[Example]:
        """One example an answer; the answers of one question are a group."""
        passage = fields.record(row, "passage", where)
        fields.check_distinct(fields.records(passage, "questions", where), "idx", where)
        paragraph, number = fields.text(passage, "text", where), fields.integer(row, "idx", where)
        examples = []
        for question in fields.records(passage, "questions", where):
            asked, group = fields.text(question, "question", where), (number, fields.integer(question, "idx", where))
            for answer in fields.records(question, "answers", where):
                named = {"passage": paragraph, "question": asked, "answer": fields.text(answer, "text", where)}
                segments = (paragraph, f"{asked} {named['answer']}")
                examples.append(Example((segments,), fields.label(answer, (0, 1), where), group, fields=named))
        return examples

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub's rows are single answers; those of a paragraph follow one another."""
        for paragraph, answers in groupby(rows, lambda row: row["idx"]["paragraph"]):
            texts, questions = [], []
            for question, same in groupby(answers, lambda row: row["idx"]["question"]):
                group = list(same)
                texts.append(group[0]["paragraph"])
                questions.append(
                    {
                        "question": group[0]["question"],
                        "answers": [
                            {"text": row["answer"], "idx": row["idx"]["answer"], "label": row["label"]}
                            for row in group
                        ],
                        "idx": question,
                    }
                )
            yield {"idx": paragraph, "version": 1.1, "passage": {"text": texts[0], "questions": questions}}

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        labels, predictions = [example.label for example in examples], logits.argmax(axis=-1)
        return {
            "f1a": binary_f1(labels, predictions),
            "em": exact_match_by_group([example.group for example in examples], labels, predictions),
        }

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Who took and who was robbed? Swapping the two in the paragraph flips both answers."""
        while True:
            people, thing = sorted(rng.sample(PEOPLE, 2)), rng.choice(THINGS)
            family: list[Row] = []
            for taker, robbed in (people, people[::-1]):
                answers = [
                    {"text": person, "idx": number, "label": int(person == taker)}
                    for number, person in enumerate(people)
                ]
                question = {"question": f"Who has the {thing}?", "answers": answers, "idx": 0}
                text = f"{taker} took the {thing} from {robbed}."
                family.append({"version": 1.1, "passage": {"text": text, "questions": [question]}})
            yield family
