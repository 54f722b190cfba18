"""Which examples of an epoch meet in a step: `train.batching`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

MakeBatches = Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]]


@dataclass(frozen=True)
class Batching:
    """`make` gives an epoch's batches, each ascending in length; `divisible`: whether their lengths differ so much
    that it pays to cut a batch into several passes."""

    make: MakeBatches
    divisible: bool


def shuffled(lengths: np.ndarray, batch_size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Indices in batches of `batch_size`, the last one of what is left, drawn anew whenever it is called: any two
    examples may meet, as in the P-Tuning v2 authors' code."""
    order = random.permutation(len(lengths))
    return [_ascending(order[i : i + batch_size], lengths) for i in range(0, len(order), batch_size)]


def bucketed(lengths: np.ndarray, batch_size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Indices in batches of `batch_size`: shuffled, then sorted by length within pools of 16 batches, so that little
    padding is needed, then the batches put in an order that mixes short and long.

    That order depends on the number of batches alone: `random` decides which examples meet, and lanes that go through
    equally many batches side by side, whatever their seeds, have texts of about the same length at each step. Of few
    examples the same ones meet again and again, whatever the epoch and the seed.
    """
    order = random.permutation(len(lengths))
    pool = batch_size * 16
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool):
        ranked = _ascending(order[start : start + pool], lengths)
        batches += [ranked[i : i + batch_size] for i in range(0, len(ranked), batch_size)]
    return [batches[i] for i in np.random.default_rng(len(batches)).permutation(len(batches))]


def _ascending(drawn: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return drawn[np.argsort(lengths[drawn], kind="stable")]


BATCHINGS: Mapping[str, Batching] = {
    "shuffled": Batching(shuffled, divisible=True),
    "bucketed": Batching(bucketed, divisible=False),
}
