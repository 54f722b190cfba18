"""F1 over the spans of N sentences (CoNLL-2003) or the arguments of N propositions (CoNLL-2005), in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptuning.formats.spans import Span


def span_f1(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Micro precision, recall and F1 of the spans with the right label and both bounds, as conlleval counts them."""
    return _set_f1([set(spans) for spans in gold], [set(spans) for spans in predicted])


def srl_eval(gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> dict[str, float]:
    """Micro precision, recall and F1 of the arguments of N propositions, as CoNLL-2005's srl-eval.pl counts them."""
    return _set_f1([_arguments(spans) for spans in gold], [_arguments(spans) for spans in predicted])


def _arguments(spans: Sequence[Span]) -> set[tuple[str, tuple[tuple[int, int], ...]]]:
    """The arguments (label, pieces) of a proposition by the rules of srl-eval.pl.

    A C-X is a piece of the nearest X before it, or the first piece of an X where there is none. The verb (V, with
    its C-V) is no argument; R-X are arguments of their own.
    """
    found: list[tuple[str, list[tuple[int, int]]]] = []
    latest: dict[str, list[tuple[int, int]]] = {}
    for label, first, last in sorted(spans, key=lambda span: span[1]):
        role = label.removeprefix("C-")
        if role == label or role not in latest:
            latest[role] = []
            found.append((role, latest[role]))
        latest[role].append((first, last))
    return {(role, tuple(pieces)) for role, pieces in found if role != "V"}


def _set_f1(gold: Sequence[set[Any]], predicted: Sequence[set[Any]]) -> dict[str, float]:
    """Of sets [N] that are compared one by one and counted together; 0 where a share is of nothing."""
    right = sum(len(wanted & given) for wanted, given in zip(gold, predicted, strict=True))
    wanted, given = sum(map(len, gold)), sum(map(len, predicted))
    return {
        "precision": 100 * right / given if given else 0.0,
        "recall": 100 * right / wanted if wanted else 0.0,
        "f1": 200 * right / (wanted + given) if right else 0.0,
    }
