"""Embedding `[P, E]`, Linear to `hidden`, tanh, Linear to `[P, W]`: the P-Tuning v2 code's prefix encoder, after
Prefix-Tuning (Li and Liang, 2021, section 4.3). Its weights are drawn from the initialization, biases are 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.config import Hashed
from ptuning.prompts.reparameterizations.base import Draw, Reparameterization


class MLP(Reparameterization):
    class Config(Reparameterization.Config):
        hidden: Annotated[int, Hashed(key="mlp_hidden")] = Field(ge=1, description="width of the hidden layer")

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[], Tensor], init: Draw
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        self.embedding = nn.Parameter(init.draw(length, input_width))
        self.hidden, self.output = nn.Linear(input_width, config.hidden), nn.Linear(config.hidden, width)
        for linear in (self.hidden, self.output):
            linear.weight = nn.Parameter(init.draw(*linear.weight.shape))
            nn.init.zeros_(linear.bias)

    def forward(self) -> Tensor:
        return self.output(torch.tanh(self.hidden(self.embedding)))
