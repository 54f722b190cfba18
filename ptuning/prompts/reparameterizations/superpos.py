"""Each row of the prompt as a weighted sum of the same embeddings of sampled words: SuperPos-Prompt (Sadraei Javaheri
et al., 2024, arXiv:2406.05279, section 3).

p_i = (E + D_i) w_i: E holds `vectors` embeddings, which stay as they are; each row learns its weights w_i, without a
softmax, and offsets D_i, 0 at first. It is a reparameterization and no method, since what it gives is an input prompt
like any other. E is what the prompt's init gives: `init=vocabulary` for the paper's.

Read for it: the abstract, and reviews that quote the formulas; the paper's whole text and its code were not at hand.
Our reading: each row has offsets of its own (their index says so), unless `offsets` is false. Differs from the paper:
words are drawn as `init=vocabulary` does it, among the most frequent and with replacement, not each once. Not known:
what its weights start from. Here a row starts as one vector, so the prompt starts as the init has it, and a trained
one as itself (where it has as many rows as `vectors`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.errors import InputError
from ptuning.prompts.reparameterizations.base import Draw, Reparameterization


class SuperPos(Reparameterization):
    class Config(Reparameterization.Config):
        vectors: int = Field(ge=1, description="embeddings that each row is a sum of")
        offsets: bool = Field(description="whether a row learns offsets to them beside its weights")

    starts_from_prompt = True

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[int], Tensor], init: Draw
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        if config.vectors < length:
            raise InputError(
                f"prompt.reparameterization.vectors={config.vectors} is less than prompt.length={length}, and each "
                f"row starts from one of its own: set it to {length} or more."
            )
        self.vectors: Tensor
        self.register_buffer("vectors", start(config.vectors), persistent=False)  # frozen: no part of what is trained
        if not config.offsets and not self.vectors.any():
            raise InputError(
                "prompt.reparameterization.offsets=false is refused with an init that gives zeros, whose weighted sum "
                "is always 0: set it to true, or choose another init (init=vocabulary)."
            )
        self.weights = nn.Parameter(torch.eye(length, config.vectors))
        self.offsets = nn.Parameter(torch.zeros(length, config.vectors, width)) if config.offsets else None

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        superposed = self.weights @ self.vectors
        if self.offsets is None:
            return superposed
        return superposed + (self.weights[:, None] @ self.offsets)[:, 0]
