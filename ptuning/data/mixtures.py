"""How often each set of a mixture is drawn: in proportion to its size, up to a cap, evened out by a temperature.

Multi-task P-Tuning v2 (section 3.3, and the authors' answer to issue 22 of their repository): batches of one set at
a time. The authors did not publish their sampling; here an epoch holds each set's batches in exact proportion, in an
order drawn anew, instead of drawing a set at each step (Raffel et al., 2020, section 3.5.2, for cap and temperature).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def steps_per_task(sizes: Sequence[int], batch_size: int, cap: int | None, temperature: float) -> list[int]:
    """Batches of each set in an epoch, one at least: together as many as go once through all sets, capped."""
    counted = [min(size, cap or size) for size in sizes]
    whole = [math.ceil(size / batch_size) for size in counted]
    if temperature == 1:
        return whole
    weights = np.array(counted) ** (1 / temperature)
    return [max(1, round(share)) for share in (sum(whole) * weights / weights.sum()).tolist()]


def task_order(steps: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Which set each of an epoch's batches is of, `[batches]`."""
    turns = np.repeat(np.arange(len(steps)), steps)
    return turns if len(steps) == 1 else random.permutation(turns)
