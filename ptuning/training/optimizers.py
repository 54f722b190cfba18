"""What updates the weights of a run: one group of parameters for each learning rate that can be set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers.optimization import Adafactor

from ptuning.config import TrainConfig


def optimizer(groups: Mapping[str, Sequence[nn.Parameter]], train: TrainConfig) -> torch.optim.Optimizer:
    """`train.optimizer` over named groups of parameters, each with its rate of `train.lrs` or else `train.lr`.

    `adafactor` is transformers' as Prompt Tuning uses it (Lester et al., 2021, section 3): the rate as it is given, no
    scaling by the size of the parameters, decay 0.8. (torch's own cannot leave that scaling out.)
    """
    if train.optimizer == "adafactor":
        return Adafactor(
            list(_groups(groups, train)),
            lr=train.lr,
            weight_decay=train.weight_decay,
            decay_rate=-0.8,
            scale_parameter=False,
            relative_step=False,
            warmup_init=False,
        )
    return torch.optim.AdamW(list(_groups(groups, train)), lr=train.lr, weight_decay=train.weight_decay, fused=True)


def _groups(groups: Mapping[str, Sequence[nn.Parameter]], train: TrainConfig) -> Iterator[dict[str, Any]]:
    for name, parameters in groups.items():
        if parameters:
            yield {"name": name, "params": list(parameters), "lr": train.lrs.get(name, train.lr)}
