"""Spans against seqeval, and the two notations that files give them in."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from ptuning.errors import InputError
from ptuning.formats import spans

LABELS = ["PER", "LOC", "creative-work", "R-ARG0"]
TAGS = ["O", *(f"{mark}-{label}" for label in LABELS for mark in "BI")]


def some_tags(rng: random.Random) -> list[str]:
    """Tags in any order, I- out of nowhere among them; few labels, so that spans meet their like."""
    return rng.choices(rng.sample(TAGS, 4), k=rng.randint(0, 9))


def places(count: int) -> list[str]:
    return [f"a.conll:{line}" for line in range(1, count + 1)]


@pytest.mark.parametrize(
    "tags, found",
    [
        ("", []),
        ("O O", []),
        ("B-PER I-PER O B-PER", [("PER", 0, 1), ("PER", 3, 3)]),
        ("B-PER B-PER", [("PER", 0, 0), ("PER", 1, 1)]),
        ("I-PER I-PER", [("PER", 0, 1)]),
        ("B-PER I-LOC I-LOC", [("PER", 0, 0), ("LOC", 1, 2)]),
        ("O I-LOC B-LOC", [("LOC", 1, 1), ("LOC", 2, 2)]),
        ("O I-", [("", 1, 1)]),
        ("B-creative-work I-creative-work I-R-ARG0", [("creative-work", 0, 1), ("R-ARG0", 2, 2)]),
    ],
)
def test_spans_of_tags(tags: str, found: list[spans.Span]) -> None:
    assert spans.of_tags(tags.split()) == found


def test_spans_of_tags_are_those_of_seqeval() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        tags = some_tags(rng)
        assert spans.of_tags(tags) == get_entities(tags), tags


def test_tags_and_spans_are_each_other() -> None:
    rng = random.Random(1)
    for _ in range(500):
        found = spans.of_tags(some_tags(rng))
        tags = spans.to_tags(reversed(found), 9)
        assert spans.of_tags(tags) == found
        spans.check_bio(tags, places(9), LABELS)


@pytest.mark.parametrize(
    "given", [[("A", 0, 1), ("B", 1, 2)], [("A", 0, 2), ("A", 1, 1)], [("A", 2, 3)], [("A", 1, 0)], [("A", -3, 1)]]
)
def test_tags_of_spans_that_overlap_or_leave_the_sentence_are_refused(given: list[spans.Span]) -> None:
    with pytest.raises(ValueError, match=f"the span {given[-1][0]} {given[-1][1]} to {given[-1][2]} "):
        spans.to_tags(given, 3)


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("I-ORG O I-PER I-PER B-PER I-LOC", "B-ORG O B-PER I-PER B-PER B-LOC"),
        ("B-ORG I-ORG B-ORG O", "B-ORG I-ORG B-ORG O"),
    ],
)
def test_iob1_becomes_iob2(tags: str, expected: str) -> None:
    assert spans.iob2(tags.split()) == expected.split()


@pytest.mark.parametrize(
    "tags, message",
    [
        ("O PER", r"a\.conll:2: tag 'PER' is not O, B-x or I-x: "),
        ("O S-PER", r"a\.conll:2: tag 'S-PER' is not O, B-x or I-x: "),
        ("O o", r"a\.conll:2: tag 'o' is not O, B-x or I-x: "),
        ("O B-ORG", r"a\.conll:2: tag 'B-ORG' has a label that is not one of PER, LOC, creative-work, R-ARG0: "),
        ("O B-", r"a\.conll:2: tag 'B-' has a label that is not one of PER"),
        ("O I-PER", r"a\.conll:2: tag 'I-PER' continues no span, for it follows 'O', .*: write B-PER "),
        ("B-LOC I-PER", r"a\.conll:2: tag 'I-PER' continues no span, for it follows 'B-LOC', .*: write B-PER "),
    ],
)
def test_a_wrong_tag_is_refused_at_its_place(tags: str, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        spans.check_bio(tags.split(), places(2), LABELS)


def test_right_tags_and_an_empty_tag() -> None:
    tags = ["B-PER", "I-PER", "I-PER", "B-PER", "O", "B-creative-work", "I-creative-work"]
    spans.check_bio(tags, places(7), LABELS)
    spans.check_bio([], [], LABELS)
    with pytest.raises(InputError, match=r"^a\.conll:1: tag '' is not O, B-x or I-x: "):
        spans.check_bio([""], places(1), LABELS)


@pytest.mark.parametrize(
    "cells, found",
    [
        ("", []),
        ("* *", []),
        ("(A0* * *) (V*) * (C-A1*)", [("A0", 0, 2), ("V", 3, 3), ("C-A1", 5, 5)]),
        ("(ORG* *) (DATE) *", [("ORG", 0, 1), ("DATE", 2, 2)]),
    ],
)
def test_spans_of_brackets(cells: str, found: list[spans.Span]) -> None:
    assert spans.of_brackets(cells.split(), places(len(cells.split()))) == found


@pytest.mark.parametrize(
    "cells, message",
    [
        ("* (A0* *", r"a\.conll:2: the bracket \(A0 is still open"),
        ("* *)", r"a\.conll:2: the cell '\*\)' closes a bracket that was not opened"),
        ("(A0*) *)", r"a\.conll:2: the cell '\*\)' closes a bracket that was not opened"),
        ("(A0* (A1*) *)", r"a\.conll:2: the cell '\(A1\*\)' opens a bracket inside \(A0 of a\.conll:1"),
        ("(A0* (DATE) *)", r"a\.conll:2: the cell '\(DATE\)' opens a bracket inside \(A0 of a\.conll:1"),
    ],
)
def test_wrong_brackets_are_refused_at_their_place(cells: str, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        spans.of_brackets(cells.split(), places(len(cells.split())))


@pytest.mark.parametrize("cell", ["", "-", "(A0", "A0*)", ")", "**", "(A(B*", "*))", "(*)", "(A*B"])
def test_a_malformed_cell_is_refused_at_its_place(cell: str) -> None:
    with pytest.raises(InputError) as caught:
        spans.of_brackets(["*", cell], places(2))
    assert str(caught.value).startswith(f"a.conll:2: the cell {cell!r} is not one of *, ")
