"""Named rules that choose the evaluation a run is reported by, an epoch as a rule. A rule sees the dev scores, one an
evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ptuning.errors import InputError


def best_dev(scores: Sequence[float]) -> int:
    """The P-Tuning v2 paper's rule: the best dev score, the first of equals. It selects on the set that it reports, so
    its scores are optimistic (`ptuning.analysis.selection_optimism`)."""
    return max(range(len(scores)), key=lambda index: (scores[index], -index))


def last(scores: Sequence[float]) -> int:
    """The last: no selection."""
    return len(scores) - 1


RULES: dict[str, Callable[[Sequence[float]], int]] = {"best_dev": best_dev, "last": last}


def rule(name: str) -> Callable[[Sequence[float]], int]:
    """Raises InputError for a rule that there is not."""
    if name not in RULES:
        shown = name if name.isprintable() else repr(name)
        raise InputError(f"selection={shown[:100]} is unknown: choose one of {', '.join(RULES)}.")
    return RULES[name]


def stopped_after(scores: Sequence[float], patience: int | None) -> int | None:
    """The evaluation, from 1, after which a run ends because the last `patience` of them were no better than the best
    before; None where it goes on."""
    best = 0
    for index, score in enumerate(scores if patience is not None else ()):
        best = index if score > scores[best] else best
        if patience is not None and index - best >= patience:
            return index + 1
    return None
