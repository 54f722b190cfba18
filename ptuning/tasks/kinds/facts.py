"""Facts as cloze questions: of a relation the subject is given and the object asked for (LAMA, Petroni et al., 2019,
section 3; P-Tuning, Liu et al., 2021, section 4.1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ptuning.formats import fields
from ptuning.formats.lama import OBJECT, SUBJECT
from ptuning.formats.rows import Row, Rows


@dataclass(frozen=True)
class Fact:
    """`object` is None where the row has none: such a fact can be asked for, not learned from. `template` is the
    relation's hand template, with `[X]` and `[Y]` for subject and object, None where it has none; `where` is the place
    of its row."""

    subject: str
    object: str | None
    template: str | None = None
    where: str = field(default="", compare=False, repr=False)

    @property
    def labelled(self) -> bool:
        return self.object is not None

    @property
    def around(self) -> tuple[str, str] | None:
        """The hand template's text before and behind the object, with the subject in its place."""
        if self.template is None:
            return None
        before, behind = (part.replace(SUBJECT, self.subject) for part in self.template.split(OBJECT))
        return before, behind


def fact(row: Row, where: str) -> Fact:
    """Raises InputError for a malformed row."""
    given = fields.text(row, "obj_label", where) if "obj_label" in row else None
    template = fields.text(row, "template", where) if "template" in row else None
    return Fact(fields.text(row, "sub_label", where), given, template, where)


def split(rows: Rows, seed: int) -> dict[str, Rows]:
    """80 percent of a relation's facts to learn from, 10 for development and the other 10 to be judged by, drawn by
    `seed`; each set in the order of the file. The facts of a subject that has several may come into different sets."""
    order = list(range(len(rows)))
    random.Random(f"split {seed}").shuffle(order)
    tenth = len(rows) // 10
    parts = {"train": order[2 * tenth :], "dev": order[:tenth], "test": order[tenth : 2 * tenth]}
    return {name: [rows[index] for index in sorted(part)] for name, part in parts.items()}


def candidates(objects: Sequence[str], is_one_token: Callable[[str], bool] | None = None) -> tuple[str, ...]:
    """What can be answered, sorted: the different `objects` of a relation, or those that are one token."""
    return tuple(sorted(one for one in set(objects) if is_one_token is None or is_one_token(one)))


def precision_at_1(facts: Sequence[Fact], answers: Sequence[str]) -> float:
    """The share of facts whose first answer is their object, in percent (LAMA, section 4.3): an object that is no
    candidate is never right."""
    right = sum(one.object == answer for one, answer in zip(facts, answers, strict=True))
    return 100 * right / len(facts)
