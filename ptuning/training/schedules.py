"""The learning rate over the steps of a run."""

from __future__ import annotations

from typing import Any

import torch

from ptuning.config import TrainConfig


def schedule(
    optimizer: torch.optim.Optimizer, train: TrainConfig, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The factor on the learning rate, step by step: `linear` falls to 0 over all epochs, `exponential` multiplies by
    gamma after each epoch (the authors' choice for NER, SRL and QA), `constant` stays."""
    total = train.epochs * steps_per_epoch
    warm = int(train.warmup * total)
    shapes: dict[str, Any] = {
        "linear": lambda step: max(0.0, (total - step) / max(1, total - warm)),
        "constant": lambda step: 1.0,
        "exponential": lambda step: train.gamma ** (step // steps_per_epoch),
    }
    falling = shapes[train.schedule]
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / (warm + 1) if step < warm else falling(step)
    )
