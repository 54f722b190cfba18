"""Zero. A deep prompt of zeros is not nothing: attention gives its keys the score 0 and its values no content, so that
the tokens' share of attention shrinks."""

from __future__ import annotations

import torch
from torch import Tensor

from ptuning.prompts.inits.base import Init


class Zero(Init):
    def draw(self, *shape: int) -> Tensor:
        return torch.zeros(*shape)
