"""Selection optimism: how much choosing an epoch on the set that reports it raises the score (the papers' rule,
`epoch_selection.best_dev`).

The honest alternative needs nothing but the answers of each epoch: split the dev set in two halves, choose the epoch
on one, report it on the other. Averaged over many random halvings, and over which half chooses, that estimates what
the chosen epoch scores on examples that did not choose it. (It chooses by half as many examples, so it may choose
worse: the difference is the optimism and that cost together.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptuning.records.record import Record

HALVINGS = 200
RESAMPLES, FEW = 400, 10  # of the halvings, for each resample


@dataclass(frozen=True)
class Optimism:
    """In percent, means over runs: the score by the best dev epoch, and by an epoch chosen on the other half; and the
    95 % interval of their difference: as wide as a bootstrap over dev examples says, centred on the estimate."""

    best_dev: float
    held_out: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        return self.best_dev - self.held_out


def has_answers(record: Record) -> bool:
    """Whether the record says which dev examples are right: not if its metric is no share of them, if it is older than
    that, or if the run diverged."""
    return (
        record["status"] != "diverged"
        and bool(record["history"])
        and all(epoch.get("right") for epoch in record["history"])
    )


def answers(record: Record) -> np.ndarray:
    """Which dev examples each epoch answers rightly, `[epochs, N]` of 0 and 1, of a record that `has_answers`."""
    return np.array([[int(digit) for digit in epoch["right"]] for epoch in record["history"]])


def optimism(runs: Sequence[np.ndarray], seed: int = 0) -> Optimism:
    """Of runs `[epochs, N]` that answered the same N dev examples, which are resampled together."""
    random = np.random.default_rng(seed)
    size = runs[0].shape[1]
    halves = np.stack([random.permutation(size) < size // 2 for _ in range(HALVINGS)]).astype(float)
    counts = random.multinomial(size, np.full(size, 1 / size), RESAMPLES).astype(float)
    best, held = _estimate(runs, halves, np.ones(size))
    # An example that is drawn twice stands twice in the same half: nothing that chooses is reported.
    found = [_estimate(runs, halves[random.permutation(HALVINGS)[:FEW]], count) for count in counts]
    low, high = np.percentile([one - other for one, other in found], [2.5, 97.5])
    # Centred: a resample's own noise gives the best epoch more to choose from, and so shifts all of them upwards.
    half = float(high - low) / 2
    return Optimism(best, held, (best - held - half, best - held + half))


def _estimate(runs: Sequence[np.ndarray], halves: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """The two scores, means over runs, with examples counted by `weights` `[N]` and split by `halves` `[K, N]`."""
    best = [100 * float((run @ weights).max() / weights.sum()) for run in runs]
    held = [100 * _held_out(run, halves, weights) for run in runs]
    return float(np.mean(best)), float(np.mean(held))


def _held_out(run: np.ndarray, halves: np.ndarray, weights: np.ndarray) -> float:
    """The share of right answers, each example's given by the epoch that the other half chooses; the mean over
    halvings `[K, N]`."""
    right = np.zeros(len(halves))
    for one in (halves, 1 - halves):
        chosen = (run @ (one * weights).T).argmax(axis=0)  # the first of equals, as best_dev
        right += (run[chosen] * (1 - one) * weights).sum(axis=1)
    return float(right.mean() / weights.sum())
