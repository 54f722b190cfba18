"""Independent random streams of one run: a change in one (data order) leaves the others (init) as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on the run's seed and on what it is for, and on nothing else."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))


class Streams:
    """The random streams of one run, which methods and heads draw from.

    Initial weights are drawn on the CPU, so that all devices start from the same. Dropout masks are drawn on `device`,
    step after step, for the whole batch that the run takes a step on: neither the runs beside it nor the way in which
    its batch is cut into passes change them.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.seed, self.device = seed, device
        self._dropout = generator(seed, "dropout", device)
        self._steps: dict[str, int] = {}  # up to which masks are drawn, by purpose

    def initial(self, purpose: str) -> torch.Generator:
        """What draws the initial weights of a part of the run: `prompt`, `head`."""
        return generator(self.seed, purpose)

    def keep_mask(self, purpose: str, step: int, rate: float, shape: Sequence[int]) -> Tensor | None:
        """Which elements dropout of `rate` leaves of what `purpose` names (`prompt`, `head`) in a `step` (boolean, of
        `shape`); None where it drops nothing. Steps come in order, and each is asked for once: what a step that is
        tried again needs is kept."""
        if rate == 0:
            return None
        assert step > self._steps.get(purpose, -1), f"the {purpose}'s mask of step {step} was drawn before"
        self._steps[purpose] = step
        drawn = torch.empty(tuple(shape), device=self.device, dtype=torch.bool)
        return drawn.bernoulli_(1 - rate, generator=self._dropout)


@dataclass(frozen=True)
class Dropout:
    """Dropout whose mask is drawn before (`Streams.keep_mask`)."""

    rate: float

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`x` `[B, N, …]` or `[B, H]` where `mask`, which may be wider in its second dimension, leaves it; `x` itself
        without a mask."""
        return x if mask is None else self.scale(x * mask[:, : x.shape[1]])

    def scale(self, x: Tensor) -> Tensor:
        """What stays, `[…]` of any shape, is made larger, so that the mean is as without dropout."""
        return x / (1 - self.rate)
