"""Embedding `[P, E]`, Linear to `hidden`, activation, Linear to `[P, W]`: the P-Tuning v2 code's prefix encoder, after
Prefix-Tuning (Li and Liang, 2021, section 4.3). Its weights are drawn from the initialization.

With other keys it is the MLP of P-Tuning's code (Liu et al., 2021): `hidden: null` (as wide as the embedding),
`activation: relu` and `init=torch_default`; and with `layers: 3` PEFT's of that method.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.config import ADDED, Hashed
from ptuning.prompts.reparameterizations.base import Draw, Reparameterization
from ptuning.seeds import Dropout, Streams

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}


class MLP(Reparameterization):
    class Config(Reparameterization.Config):
        hidden: Annotated[int | None, Hashed(key="mlp_hidden")] = Field(
            ge=1, description="width of the hidden layers; null: as wide as the embedding"
        )
        layers: Annotated[int, ADDED] = Field(default=2, ge=2, description="linear layers, the last one included")
        activation: Annotated[Literal["tanh", "relu"], ADDED] = Field(
            default="tanh", description="behind each linear layer but the last"
        )
        dropout: Annotated[float, ADDED] = Field(default=0.0, ge=0, lt=1, description="behind each activation")

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[int], Tensor], init: Draw
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        hidden = config.hidden or input_width
        self.mask_shape = (config.layers - 1, length, hidden)
        self.activation, self.dropout = ACTIVATIONS[config.activation], Dropout(config.dropout)
        self.embedding = nn.Parameter(init.draw(length, input_width))
        widths = [input_width, *[hidden] * (config.layers - 1)]
        self.hidden = nn.ModuleList(nn.Linear(wide, next_wide) for wide, next_wide in pairwise(widths))
        self.output = nn.Linear(hidden, width)
        for layer in (*self.hidden, self.output):
            init.draw_layer(layer)

    def dropout_mask(self, streams: Streams, step: int) -> Tensor | None:
        """`[layers - 1, P, hidden]`."""
        return streams.keep_mask("reparameterization", step, self.dropout.rate, self.mask_shape)

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        states: Tensor = self.embedding
        for index, layer in enumerate(self.hidden):
            mask = None if dropout_mask is None else dropout_mask[index]
            states = self.dropout(self.activation(layer(states)), mask)
        return self.output(states)
