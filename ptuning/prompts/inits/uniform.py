"""Uniform between -scale and scale: Prompt Tuning's random initialization (Lester et al., 2021, section 3.2; scale 0.5
in their code)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ptuning.prompts.inits.base import Init


class Uniform(Init):
    class Config(Init.Config):
        scale: float = Field(gt=0, description="drawn between minus this and this")

    config: Config
    is_distribution = True

    def draw(self, *shape: int) -> Tensor:
        return (torch.rand(*shape, generator=self.context.random) * 2 - 1) * self.config.scale
