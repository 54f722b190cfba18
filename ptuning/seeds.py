"""Independent random streams of one run: a change in one (data order) leaves the others (init) as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on the run's seed and on what it is for, and on nothing else."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))


class SeededDropout(torch.nn.Module):
    """Dropout with its own random stream: a lane drops the same elements whether it trains alone or packed."""

    def __init__(self, rate: float, random: torch.Generator) -> None:
        super().__init__()
        self.rate, self.random = rate, random

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.kept(x.shape, x.device)
        return x if kept is None else self.scale(x * kept)

    def kept(self, shape: Sequence[int], device: torch.device) -> torch.Tensor | None:
        """Which elements stay, drawn anew (boolean, of `shape`); None where nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        drawn = torch.empty(tuple(shape), device=device, dtype=torch.bool)
        return drawn.bernoulli_(1 - self.rate, generator=self.random)

    def scale(self, x: torch.Tensor) -> torch.Tensor:
        """What stays is made larger, so that the mean is as without dropout."""
        return x / (1 - self.rate)
