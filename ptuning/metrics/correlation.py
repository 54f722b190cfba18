"""STS-B's metrics (Wang et al., 2019, GLUE, section 3): correlations in percent, of scores and predictions `[N]`.

Where one of the two is the same throughout there is no correlation, and it counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pearson(scores: Sequence[float] | np.ndarray, predictions: Sequence[float] | np.ndarray) -> float:
    """How well the predictions follow the scores on a line."""
    one, other = (np.asarray(values, dtype=np.float64) for values in (scores, predictions))
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return 100 * float(np.corrcoef(one, other)[0, 1])


def spearman(scores: Sequence[float] | np.ndarray, predictions: Sequence[float] | np.ndarray) -> float:
    """How well their ranks do; equal values share the mean of theirs."""
    return pearson(_ranks(scores), _ranks(predictions))


def _ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    _, which, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[which]
