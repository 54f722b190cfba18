"""Facts as cloze questions: of a relation the subject is given and the object asked for (LAMA, Petroni et al., 2019,
section 3; P-Tuning, Liu et al., 2021, section 4.1)."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from ptuning.formats import fields
from ptuning.formats.lama import OBJECT, SUBJECT
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Fact


class FactTask(Task[Fact, list[str]]):
    """A task of one relation's facts, answered with a word each."""

    head = "cloze"
    metric = "p_at_1"
    answer_key = "object"
    template_fields = ("subject",)
    has_hand_template: bool  # whether there is one beside the relation's facts

    def examples(self, row: Row, where: str) -> list[Fact]:
        return [fact(row, where)]

    def text_keys(self) -> Sequence[str]:
        return ("sub_label",)

    def counts(self, examples: Sequence[Fact]) -> dict[str, int]:
        return {"objects": len({example.object for example in examples})}

    def answers(self, splits: Mapping[str, Rows]) -> tuple[str, ...]:
        """The relation's objects, sorted."""
        return tuple(sorted({row["obj_label"] for rows in splits.values() for _, row in rows if "obj_label" in row}))

    def score(self, examples: Sequence[Fact], answers: list[str]) -> dict[str, float]:
        return {"p_at_1": precision_at_1(examples, answers)}

    def is_correct(self, examples: Sequence[Fact], answers: list[str]) -> list[int]:
        return [int(example.object == answer) for example, answer in zip(examples, answers, strict=True)]

    def constant_answer(self, examples: Sequence[Fact], answers: list[str]) -> str | None:
        """The object that is said of all subjects."""
        return answers[0] if len(set(answers)) == 1 else None

    def said(self, examples: Sequence[Fact], answers: list[str]) -> list[Hashable]:
        return list(answers)

    def format_prediction(self, example: Fact, answer: str) -> dict[str, Any]:
        return {"subject": example.subject, "object": answer}


def fact(row: Row, where: str) -> Fact:
    """Raises InputError for a malformed row."""
    given = fields.text(row, "obj_label", where) if "obj_label" in row else None
    template = _template(fields.text(row, "template", where)) if "template" in row else None
    return Fact(fields.text(row, "sub_label", where), given, template, where)


def _template(pattern: str) -> str:
    """A pattern of LAMA's as `ptuning.data.templates` writes templates."""
    return pattern.replace(SUBJECT, "{subject}").replace(OBJECT, "<mask>")


def split(rows: Rows, seed: int) -> dict[str, Rows]:
    """80 percent of a relation's facts to learn from, 10 for development and the other 10 to be judged by, drawn by
    `seed`; each set in the order of the file. The facts of a subject that has several may come into different sets."""
    order = list(range(len(rows)))
    random.Random(f"split {seed}").shuffle(order)
    tenth = len(rows) // 10
    parts = {"train": order[2 * tenth :], "dev": order[:tenth], "test": order[tenth : 2 * tenth]}
    return {name: [rows[index] for index in sorted(part)] for name, part in parts.items()}


def precision_at_1(facts: Sequence[Fact], answers: Sequence[str]) -> float:
    """The share of facts whose first answer is their object, in percent (LAMA, section 4.3)."""
    right = sum(one.object == answer for one, answer in zip(facts, answers, strict=True))
    return 100 * right / len(facts)
