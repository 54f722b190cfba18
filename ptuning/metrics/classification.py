"""The official metrics of GLUE and SuperGLUE (Wang et al., 2019, section 3 of each), in percent, of labels and
predictions `[N]`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from ptuning.metrics.correlation import pearson


def accuracy(labels: Sequence[int], predictions: Sequence[int] | np.ndarray) -> float:
    """The share of `predictions` `[N]` that equal their `labels` `[N]`, in percent."""
    return 100 * float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def macro_f1(labels: Sequence[int], predictions: Sequence[int] | np.ndarray, classes: int) -> float:
    """The mean over all `classes` of each one's F1; a class that is neither there nor predicted counts as 0."""
    from sklearn.metrics import f1_score  # costs a second to import

    scores = f1_score(labels, predictions, labels=range(classes), average="macro", zero_division=0)
    return 100 * float(scores)


def binary_f1(labels: Sequence[int], predictions: Sequence[int] | np.ndarray) -> float:
    """The F1 of class 1: of MRPC and QQP, and MultiRC's F1a, over all answers of all questions."""
    from sklearn.metrics import f1_score

    return 100 * float(f1_score(labels, predictions, pos_label=1, zero_division=0))


def label_f1(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Of several labels an example, 0 or 1 each, `[N, labels]`: the F1 of all of them together (`f1_micro`), the mean
    of each one's (`f1_macro`, 0 for one that is neither there nor predicted), and the share of examples of which all
    labels are right (`exact`), as scikit-learn has them."""
    from sklearn.metrics import f1_score

    averages = {f"f1_{one}": f1_score(labels, predictions, average=one, zero_division=0) for one in ("micro", "macro")}
    exact = np.mean((labels == predictions).all(axis=1))
    return {key: 100 * float(value) for key, value in (averages | {"exact": exact}).items()}


def matthews(labels: Sequence[int], predictions: Sequence[int] | np.ndarray) -> float:
    """CoLA's: the correlation of labels 0 and 1 with the predictions; 0 where all of these are the same."""
    return pearson(labels, predictions)


def exact_match_by_group(
    groups: Sequence[Hashable], labels: Sequence[int], predictions: Sequence[int] | np.ndarray
) -> float:
    """MultiRC's EM: the share of groups (questions) whose members (answers) are all predicted right."""
    right: dict[Hashable, bool] = defaultdict(lambda: True)
    for group, label, prediction in zip(groups, labels, predictions, strict=True):
        right[group] &= bool(label == prediction)
    return 100 * sum(right.values()) / len(right)
