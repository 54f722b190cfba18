"""Triples told in a sentence or more (WebNLG, DART): (subject, property, object), written as Prefix-Tuning's released
code writes them (XiangLi1999/PrefixTuning, LineByLineWebNLGTextDataset), "| subject : property : object" each."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import fields, triples
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds.data_to_text import DataToText
from ptuning.tasks.kinds.miniature_words import PEOPLE, SURNAMES

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|_")  # between the words of `birthPlace` and `Buzz_Aldrin`
PROPERTIES = {"boss": "works for", "teacher": "learns from", "friend": "met"}  # of the miniature


class Triples(DataToText):
    def read(self, path: Path) -> Rows:
        return triples.read(path)

    def source(self, row: Row, where: str) -> str:
        return " ".join(f"| {' : '.join(self.named(triple))}" for triple in given(row, where))

    def named(self, triple: Sequence[str]) -> Sequence[str]:
        """A triple with the property as the model reads it."""
        return triple

    def told(self, source: str) -> str:
        """The property of a subject is its object: a sentence a triple."""
        parts = [triple.split(" : ", 2) for triple in source.removeprefix("| ").split(" | ")]
        sentences = [f"The {_plain(name).lower()} of {_plain(of)} is {_plain(what)}." for of, name, what in parts]
        return " ".join(sentences)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Two people and what one is to the other: who is who stands in the order alone, since a family has the same
        words told both ways."""
        while True:
            people, (name, verb) = rng.sample(PEOPLE + SURNAMES, 2), rng.choice(list(PROPERTIES.items()))
            category = self.miniature_category(rng)
            yield [
                {
                    "category": category,
                    "triples": [[one, name, other]],
                    "references": [f"{one} {verb} {other} ."],
                }
                for one, other in (people, people[::-1])
            ]

    def miniature_category(self, rng: random.Random) -> str:
        """The category of a generated entry."""
        return "MISC"


def given(row: Row, where: str) -> list[list[str]]:
    """The triples of a row, [subject, property, object] each. Raises InputError where they are none."""
    found = row.get("triples")
    if not isinstance(found, list) or not found or not all(_is_triple(one) for one in found):
        raise InputError(
            f"{where}: triples={fields.short(found)} is not a list of one or more [subject, property, object]: "
            "correct the line or remove it."
        )
    return found


def _is_triple(one: object) -> bool:
    return isinstance(one, list) and len(one) == 3 and all(isinstance(part, str) and part.strip() for part in one)


def _plain(name: str) -> str:
    """A name of a knowledge base as words."""
    return _WORDS.sub(" ", name.strip('"'))
