"""Contestants in turns, A B C A B C, so that a disturbance hits them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypeVar

import torch
from tqdm import tqdm

from experiments.benchmark.memory import peak
from experiments.benchmark.work import Contestant
from ptuning.training.measure import timed

Name = TypeVar("Name")


def race(
    contestants: Mapping[Name, Contestant], device: torch.device, rounds: int, title: str
) -> tuple[dict[Name, list[float]], dict[Name, float]]:
    """Seconds of each contestant in each round, and the most memory it took beyond what was there before, in bytes."""
    seconds: dict[Name, list[float]] = {name: [] for name in contestants}
    memory: dict[Name, float] = dict.fromkeys(contestants, 0.0)
    warm = 1 if device.type == "cuda" else 0
    with tqdm(total=(rounds + warm) * len(contestants), unit="epoch", desc=title) as bar:
        for number in range(rounds + warm):
            for name, contestant in contestants.items():
                epoch = contestant()
                with peak(device) as found:
                    took = timed(epoch, device)
                if number >= warm:
                    seconds[name].append(took)
                    memory[name] = max(memory[name], found[0])
                bar.update()
    return seconds, memory


def spread(values: Sequence[float]) -> dict[str, float]:
    """What of a contestant's rounds stands in a result."""
    return {"median": median(values), "min": min(values), "max": max(values)}
