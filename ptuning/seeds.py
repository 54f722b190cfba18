"""Independent random streams of one run: a change in one (data order) leaves the others (init) as they were."""

from __future__ import annotations

import hashlib

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
        if not self.training or self.rate == 0:
            return x
        kept = torch.empty(x.shape, device=x.device, dtype=x.dtype).bernoulli_(1 - self.rate, generator=self.random)
        return (x * kept).div_(1 - self.rate)
