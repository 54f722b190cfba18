"""An epoch's batches: shuffled, of similar length each."""

from __future__ import annotations

import numpy as np


def bucketed(lengths: np.ndarray, batch_size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Indices in batches of `batch_size`: shuffled, then sorted by length within pools of 16 batches, so that little
    padding is needed, then the batches put in an order that mixes short and long.

    That order depends on the number of batches alone: `random` decides which examples meet, and lanes that go through
    equally many batches side by side, whatever their seeds, have texts of about the same length at each step.
    """
    order = random.permutation(len(lengths))
    pool = batch_size * 16
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool):
        drawn = order[start : start + pool]
        ranked = drawn[np.argsort(lengths[drawn], kind="stable")]
        batches += [ranked[i : i + batch_size] for i in range(0, len(ranked), batch_size)]
    return [batches[i] for i in np.random.default_rng(len(batches)).permutation(len(batches))]
