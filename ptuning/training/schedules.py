"""The learning rate over the steps of a run."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ptuning.config import TrainConfig


def schedule(
    optimizer: torch.optim.Optimizer, train: TrainConfig, steps: int, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The factor on the learning rate, step by step, of a run of so many steps: `linear` falls to 0 over all of them,
    `exponential` multiplies by gamma after each epoch (the P-Tuning v2 authors' choice for NER, SRL and QA),
    `constant` stays, each after a linear rise over `warmup`, a share of the steps. `noam` rises over the warmup too
    and then falls with the root of the step (Vaswani et al., 2017, section 5.3, without the model's width, as in PPT's
    code): after n steps it is 1 / sqrt(n), so that it is never more than 1 / sqrt(steps of warmup)."""
    warm = int(train.warmup * steps)
    if train.schedule == "noam":
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _noam(step + 1, max(1, warm)))
    falling: dict[str, Callable[[int], float]] = {
        "linear": lambda step: max(0.0, (steps - step) / max(1, steps - warm)),
        "constant": lambda step: 1.0,
        "exponential": lambda step: train.gamma ** (step // steps_per_epoch),
    }
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / (warm + 1) if step < warm else falling[train.schedule](step)
    )


def _noam(step: int, warm: int) -> float:
    """`step` counts from 1."""
    return min(step**-0.5, step * warm**-1.5)
