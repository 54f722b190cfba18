"""A prompt plus what a bottleneck MLP makes of it: Residual Prompt Tuning (Razdaibiedina et al., 2023,
arXiv:2305.03937, section 3).

P' = P + LayerNorm(W2 ReLU(W1 P + b1) + b2), each row by itself, through one MLP for all rows or one a row. Read for
it: the abstract, and the authors' code (arazd/ResidualPrompts, `prompt_tuner2.py`), whose defaults are those here: one
such layer (`MLP1`), shared, a bottleneck of 800, no dropout. As there, P starts from the prompt's init (theirs:
embeddings of random words, as `init=vocabulary` gives), the MLP as torch's own layers do, and LayerNorm makes what is
added about 1 in size from the first step on: a trained prompt does not start as itself. Left out are their other
activations, two layers, and an LSTM or a transformer in the MLP's place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ptuning.prompts.reparameterizations.base import Draw, Reparameterization
from ptuning.seeds import Dropout, Streams


class ResidualMLP(Reparameterization):
    class Config(Reparameterization.Config):
        hidden: int = Field(ge=1, description="width of the bottleneck")
        shared: bool = Field(description="one MLP for all rows of the prompt, or one a row")
        layer_norm: bool = Field(description="LayerNorm on what the MLP gives")
        dropout: float = Field(ge=0, lt=1, description="on what the MLP gives, before LayerNorm")

    starts_from_prompt = True

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[int], Tensor], init: Draw
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        self.mask_shape, self.dropout = (length, width), Dropout(config.dropout)
        self.prompt = nn.Parameter(start(length))
        mlps = 1 if config.shared else length

        def drawn(inputs: int, *shape: int) -> nn.Parameter:
            """As torch starts a Linear layer of so many inputs."""
            return nn.Parameter((torch.rand(mlps, *shape, generator=init.random) * 2 - 1) * inputs**-0.5)

        self.down, self.down_bias = drawn(width, width, config.hidden), drawn(width, 1, config.hidden)
        self.up, self.up_bias = drawn(config.hidden, config.hidden, width), drawn(config.hidden, 1, width)
        self.norm: nn.ParameterList | None = None  # a scale and a bias
        if config.layer_norm:
            self.norm = nn.ParameterList([torch.ones(mlps, width), torch.zeros(mlps, width)])

    def dropout_mask(self, streams: Streams, step: int) -> Tensor | None:
        """`[P, W]`."""
        return streams.keep_mask("reparameterization", step, self.dropout.rate, self.mask_shape)

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        hidden = torch.relu(self.prompt[:, None] @ self.down + self.down_bias)  # [P, 1, hidden]
        change = self.dropout((hidden @ self.up + self.up_bias)[:, 0], dropout_mask)  # [P, W]
        if self.norm is not None:
            scale, bias = self.norm
            change = functional.layer_norm(change, change.shape[-1:]) * scale + bias
        return self.prompt + change
