"""Exact match and token F1 of answers in words (SQuAD 1.1 and 2.0, ReCoRD), in percent."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence


def normalise(answer: str) -> str:
    """SQuAD's normalisation: lower case, no punctuation, no articles, single spaces."""
    lowered = "".join(letter for letter in answer.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", lowered).split())


def token_f1(prediction: str, gold: str) -> float:
    """F1 of the two answers as bags of normalised tokens, between 0 and 1."""
    predicted, wanted = normalise(prediction).split(), normalise(gold).split()
    shared = sum((Counter(predicted) & Counter(wanted)).values())
    return 2 * shared / (len(predicted) + len(wanted)) if shared else 0.0


def exact(prediction: str, gold: str) -> float:
    """1 where the normalised answers are the same, otherwise 0."""
    return float(normalise(prediction) == normalise(gold))


def best_over_golds(score: Callable[[str, str], float], prediction: str, golds: Sequence[str]) -> float:
    """The score against the gold answer that it is highest for."""
    return max(score(prediction, gold) for gold in golds)


def squad_v1(predictions: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """SQuAD 1.1 (Rajpurkar et al., 2016): exact match and token F1 with the nearest of a question's gold answers."""
    pairs = list(zip(predictions, golds, strict=True))
    return {
        "em": _percent([best_over_golds(exact, prediction, answers) for prediction, answers in pairs]),
        "f1": _percent([best_over_golds(token_f1, prediction, answers) for prediction, answers in pairs]),
    }


def squad_v2(predictions: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """SQuAD 2.0 (Rajpurkar et al., 2018): as 1.1, and "" is the right answer where a question has no golds.

    Gold answers that normalise to nothing do not count. "has_ans_f1" and "no_ans_f1" are the F1 of the questions with
    and without golds, each where there are such.
    """
    counted = [[answer for answer in answers if normalise(answer)] or [""] for answers in golds]
    pairs = list(zip(predictions, counted, strict=True))
    f1 = [best_over_golds(_token_f1_v2, prediction, answers) for prediction, answers in pairs]
    scores = {
        "em": _percent([best_over_golds(exact, prediction, answers) for prediction, answers in pairs]),
        "f1": _percent(f1),
    }
    for key, answerable in (("has_ans_f1", True), ("no_ans_f1", False)):
        part = [value for value, answers in zip(f1, golds, strict=True) if bool(answers) == answerable]
        if part:
            scores[key] = _percent(part)
    return scores


def _token_f1_v2(prediction: str, gold: str) -> float:
    """`token_f1`, but 1 where both normalise to nothing; SQuAD 1.1 gives that 0."""
    return token_f1(prediction, gold) if normalise(prediction) or normalise(gold) else 1.0


def _percent(scores: Sequence[float]) -> float:
    return 100 * sum(scores) / len(scores)
