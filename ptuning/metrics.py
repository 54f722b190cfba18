"""The tasks' official metrics, in percent.

Those of SuperGLUE (Wang et al., 2019, section 3), of labels and predictions [N]; F1 over the spans of N sentences
(CoNLL-2003) or the arguments of N propositions (CoNLL-2005); and those of SQuAD's N questions.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ptuning.spans import Span


def accuracy(labels: Sequence[int], predictions: Sequence[int] | np.ndarray) -> float:
    return 100 * float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def macro_f1(labels: Sequence[int], predictions: Sequence[int] | np.ndarray, classes: int) -> float:
    """The mean over all `classes` of each one's F1; a class that is neither there nor predicted counts as 0."""
    from sklearn.metrics import f1_score  # costs a second to import

    scores = f1_score(labels, predictions, labels=range(classes), average="macro", zero_division=0)
    return 100 * float(scores)


def f1_over_answers(labels: Sequence[int], predictions: Sequence[int] | np.ndarray) -> float:
    """MultiRC's F1a: the F1 of class 1 over all answers of all questions."""
    from sklearn.metrics import f1_score

    return 100 * float(f1_score(labels, predictions, pos_label=1, zero_division=0))


def exact_match_by_group(
    groups: Sequence[Hashable], labels: Sequence[int], predictions: Sequence[int] | np.ndarray
) -> float:
    """MultiRC's EM: the share of groups (questions) whose members (answers) are all predicted right."""
    right: dict[Hashable, bool] = defaultdict(lambda: True)
    for group, label, prediction in zip(groups, labels, predictions, strict=True):
        right[group] &= bool(label == prediction)
    return 100 * sum(right.values()) / len(right)


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
