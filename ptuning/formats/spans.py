"""Labelled spans of a word sequence, and the two notations that files give them in: BIO tags and bracket columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ptuning.errors import InputError
from ptuning.formats.fields import short

Span = tuple[str, int, int]  # label, first word, last word; the last word belongs to the span
# "*", "(X*", "*)", "(X*)", and "(X)", as OntoNotes writes a name of one word.
_CELL = re.compile(r"(?:\((?P<label>[^()*]+))?\*(?P<closed>\))?|\((?P<whole>[^()*]+)\)")


def of_tags(tags: Sequence[str]) -> list[Span]:
    """The spans of BIO tags as conlleval and seqeval read them: an I- after O or another label begins a span."""
    found: list[Span] = []
    previous = "O"
    for at, tag in enumerate(tags):
        if _begins(previous, tag):
            found.append((_label(tag), at, at))
        elif tag != "O":
            found[-1] = (_label(tag), found[-1][1], at)
        previous = tag
    return found


def to_tags(spans: Iterable[Span], length: int) -> list[str]:
    """The BIO tags (IOB2) of `length` words. Raises ValueError where spans overlap or leave the sequence."""
    tags = ["O"] * length
    for label, first, last in spans:
        if not 0 <= first <= last < length or set(tags[first : last + 1]) != {"O"}:
            raise ValueError(
                f"the span {label[:60]} {first} to {last} overlaps another or is outside the {length} words"
            )
        tags[first : last + 1] = [f"B-{label}"] + [f"I-{label}"] * (last - first)
    return tags


def iob2(tags: Sequence[str]) -> list[str]:
    """IOB1 (CoNLL-2003's own files) or IOB2 tags as IOB2, where every span begins with B-."""
    return to_tags(of_tags(tags), len(tags))


def check_bio(tags: Sequence[str], places: Sequence[str], labels: Sequence[str], iob1: bool = False) -> None:
    """Raises InputError at `places[i]` where tags[i] is not O, B-x or I-x of `labels`, or is an I- out of nowhere.

    Scorers repair such an I-, each in its own way; in training data it is most often a fault of a conversion. In IOB1
    it is in order.
    """
    previous = "O"
    for tag, place in zip(tags, places, strict=True):
        if tag != "O" and tag[:2] not in ("B-", "I-"):
            raise InputError(f"{place}: tag {short(tag)} is not O, B-x or I-x: correct the line.")
        if tag != "O" and _label(tag) not in labels:
            raise InputError(
                f"{place}: tag {short(tag)} has a label that is not one of {', '.join(labels)}: correct the line."
            )
        if not iob1 and tag[0] == "I" and _begins(previous, tag):
            raise InputError(
                f"{place}: tag {short(tag)} continues no span, for it follows {short(previous)}, and is"
                " refused rather than"
                f" guessed at: write B-{_label(tag)[:60]} where a span begins (IOB2)."
            )
        previous = tag


def of_brackets(cells: Sequence[str], places: Sequence[str]) -> list[Span]:
    """The spans of one bracket column of a sentence (CoNLL-2005, CoNLL-2012), for example (A0*  *  *)  (V*).

    Raises InputError at the place of a cell that is malformed, nested in an open bracket, closes nothing, or opens a
    bracket that stays open.
    """
    found: list[Span] = []
    opened: tuple[str, int] | None = None
    for at, (cell, place) in enumerate(zip(cells, places, strict=True)):
        match = _CELL.fullmatch(cell)
        if match is None:
            raise InputError(
                f"{place}: the cell {short(cell)} is not one of *, (X*, *), (X*) and (X): correct the line."
            )
        label = match["label"] or match["whole"]
        if label and opened:
            raise InputError(
                f"{place}: the cell {short(cell)} opens a bracket inside ({opened[0][:60]} of"
                f" {places[opened[1]]}, and brackets"
                " in a column cannot nest: close that one first or correct the line."
            )
        if label:
            opened = label, at
        if match["closed"] or match["whole"]:
            if opened is None:
                raise InputError(
                    f"{place}: the cell {short(cell)} closes a bracket that was not opened: correct the line."
                )
            found.append((*opened, at))
            opened = None
    if opened:
        raise InputError(
            f"{places[opened[1]]}: the bracket ({opened[0][:60]} is still open where the sentence ends:"
            " close it with *)."
        )
    return found


def _label(tag: str) -> str:
    """Labels may hold hyphens themselves, as B-creative-work and I-R-ARG0 do."""
    return tag[2:]


def _begins(previous: str, tag: str) -> bool:
    return tag != "O" and (tag[0] == "B" or previous == "O" or _label(previous) != _label(tag))
