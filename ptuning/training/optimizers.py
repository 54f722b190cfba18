"""What updates the weights of a run: one group of parameters for each learning rate that can be set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.optimization import Adafactor

from ptuning.config import TrainConfig


def optimizer(groups: Mapping[str, Sequence[nn.Parameter]], train: TrainConfig) -> torch.optim.Optimizer:
    """`train.optimizer` over named groups of parameters, each with its rate of `train.lrs` or else `train.lr`; of no
    parameters, which no step follows, too.

    `adafactor` is transformers' as Prompt Tuning uses it (Lester et al., 2021, section 3): the rate as it is given, no
    scaling by the size of the parameters, decay 0.8. (torch's own cannot leave that scaling out.) `adamw_hf` is that
    of the P-Tuning v2 authors' code.
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
    if train.optimizer == "adamw_hf":
        return AdamWHF(_groups(groups, train), train.lr, train.weight_decay)
    return torch.optim.AdamW(list(_groups(groups, train)), lr=train.lr, weight_decay=train.weight_decay, fused=True)


def _groups(groups: Mapping[str, Sequence[nn.Parameter]], train: TrainConfig) -> Iterator[dict[str, Any]]:
    trained = {name: parameters for name, parameters in groups.items() if parameters}
    for name, parameters in (trained or groups).items():
        yield {"name": name, "params": list(parameters), "lr": train.lrs.get(name, train.lr)}


class AdamWHF(torch.optim.Optimizer):
    """AdamW as transformers had it until version 4 (Loshchilov and Hutter, 2019, Algorithm 2, but for two things): eps
    joins the root of the second moment before its bias is corrected, so that in the n-th step it counts as
    eps / sqrt(1 - 0.999^n), 32 times as much at first; and weights decay after the step.

    The gradients of a deep prompt are so small (a median of 4e-7 on CB) that this eps slows it at first.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: Mapping[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
        state["step"] += 1
        first, second = group["betas"]
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        corrected = math.sqrt(1 - second ** state["step"]) / (1 - first ** state["step"])
        parameter.addcdiv_(state["mean"], state["square"].sqrt().add_(group["eps"]), value=-group["lr"] * corrected)
        if group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
