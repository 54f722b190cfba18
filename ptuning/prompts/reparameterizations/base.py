"""What a reparameterization is: a module whose output is the prompt. A subclass lives in a file named after it.

Its output is `[P, W]`: W is E for an input prompt, and all keys and values of a row for a deep one. Training goes
through it; only its output is kept afterwards ("folded").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.config import Hashed, Schema
from ptuning.seeds import Streams

Layer = nn.Linear | nn.LSTM


class Draw(Protocol):
    """A distribution that initial weights are drawn from, or an initialization that is none, and raises
    NotImplementedError. `random`: the run's own stream for initial prompts."""

    @property
    def random(self) -> torch.Generator: ...

    def draw(self, *shape: int) -> Tensor:
        """A tensor `[*shape]`, drawn as the initialization says."""

    def draw_layer(self, layer: Layer) -> None:
        """Draw a layer's weights, in place."""


class Reparameterization(nn.Module, ABC):
    class Config(Schema):
        """The keys of `prompt.reparameterization`: the name, and those of the file itself."""

        hashed_under = "reparameterization_keys."

        name: Annotated[str, Hashed(key="reparameterization")] = Field(
            description="a file in ptuning/prompts/reparameterizations"
        )

    starts_from_prompt: ClassVar[bool] = False  # else its weights are drawn from a distribution

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[int], Tensor], init: Draw
    ) -> None:
        """`start` gives so many rows of a prompt to start from, `[rows, width]`; `init` draws weights of any shape;
        `input_width` is that of what goes into it, where it has an input."""
        super().__init__()

    def dropout_mask(self, streams: Streams, step: int) -> Tensor | None:
        """What dropout within it leaves in a step, which is the same for all sequences; None without dropout."""
        return None

    @abstractmethod
    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        """The prompt `[P, W]`."""


@torch.no_grad()
def draw_as_torch(layer: Layer, random: torch.Generator) -> None:
    """Draw the weights and biases of a layer as torch does, but from the run's own stream: uniform, up to 1 / sqrt of
    a Linear's inputs, or of an LSTM's hidden size."""
    bound = (layer.hidden_size if isinstance(layer, nn.LSTM) else layer.in_features) ** -0.5
    for parameter in layer.parameters():
        parameter.uniform_(-bound, bound, generator=random)
