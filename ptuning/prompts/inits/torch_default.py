"""What torch's own layers start from, drawn from the run's stream: an embedding, and so a prompt, from a normal
distribution with std 1; the linear and LSTM layers of a reparameterization uniformly, biases too. P-Tuning's code has
it so (Liu et al., 2021), and PEFT for its prompts and prompt encoders."""

from __future__ import annotations

import torch
from torch import Tensor

from ptuning.prompts.inits.base import Init
from ptuning.prompts.reparameterizations.base import Layer, draw_as_torch


class TorchDefault(Init):
    is_distribution = True

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random)

    def draw_layer(self, layer: Layer) -> None:
        draw_as_torch(layer, self.random)
