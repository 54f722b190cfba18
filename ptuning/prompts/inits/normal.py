"""Normal: the P-Tuning v2 code's initialization, with std 0.02 (BERT's own `initializer_range`); PEFT's has 1."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ptuning.config import NOT_HASHED, Hashed
from ptuning.prompts.inits.base import Init


class Normal(Init):
    class Config(Init.Config):
        name: Annotated[str, NOT_HASHED] = Field(  # not hashed: what identities mean that name none
            description="a file in ptuning/prompts/inits"
        )
        std: Annotated[float, Hashed(key="init_std")] = Field(gt=0, description="standard deviation")

    config: Config
    is_distribution = True

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.context.random) * self.config.std
