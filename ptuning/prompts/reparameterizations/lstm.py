"""Embedding `[P, E]`, bidirectional LSTM, Linear, ReLU, Linear to `[P, W]`: the prompt encoder of P-Tuning (Liu et
al., 2021, section 3), through which the rows of the prompt depend on each other.

As the authors' code for LAMA: two layers of LSTM, each E/2 wide in both directions, two linear layers as wide as what
they read. Their weights start as torch's own layers do, here from the prompt's init: `method=p_tuning` chooses
`init=torch_default`. Differs from their few-shot code, which has E in each direction (`hidden`) and goes from 2E to E
in the first linear layer, where this, like PEFT's, stays at 2E.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.errors import InputError
from ptuning.prompts.reparameterizations.base import Draw, Reparameterization
from ptuning.seeds import Dropout, Streams


class LSTM(Reparameterization):
    class Config(Reparameterization.Config):
        layers: int = Field(ge=1, description="of the LSTM")
        hidden: int | None = Field(
            ge=1, description="width of the LSTM in each direction; null: half of the embedding's"
        )
        dropout: float = Field(ge=0, lt=1, description="between the layers of the LSTM")

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[int], Tensor], init: Draw
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        hidden = config.hidden or _half(input_width)
        self.mask_shape = (config.layers - 1, length, 2 * hidden)
        self.dropout = Dropout(config.dropout)
        self.embedding = nn.Parameter(init.draw(length, input_width))
        widths = [input_width, *[2 * hidden] * (config.layers - 1)]
        self.lstms = nn.ModuleList(nn.LSTM(one, hidden, bidirectional=True) for one in widths)
        self.hidden, self.output = nn.Linear(2 * hidden, 2 * hidden), nn.Linear(2 * hidden, width)
        for layer in (*self.lstms, self.hidden, self.output):
            init.draw_layer(layer)

    def dropout_mask(self, streams: Streams, step: int) -> Tensor | None:
        """`[layers - 1, P, 2 hidden]`."""
        return streams.keep_mask("reparameterization", step, self.dropout.rate, self.mask_shape)

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        states, _ = self.lstms[0](self.embedding)
        for index, lstm in enumerate(self.lstms[1:]):
            mask = None if dropout_mask is None else dropout_mask[index]
            states, _ = lstm(self.dropout(states, mask))
        return self.output(torch.relu(self.hidden(states)))


def _half(width: int) -> int:
    """Raises InputError for an odd one."""
    if width % 2:
        raise InputError(
            f"prompt.reparameterization.hidden=null is refused: half of this backbone's {width} numbers a token is no "
            "whole number; set it."
        )
    return width // 2
