"""The metrics of SuperGLUE (Wang et al., 2019, section 3), in percent, of labels and predictions [N]."""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np


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
