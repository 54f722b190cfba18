"""What a reparameterization is: a module whose output is the prompt. A subclass lives in a file named after it.

Its output is `[P, W]`: W is E for an input prompt, and all keys and values of a row for a deep one. Training goes
through it; only its output is kept afterwards ("folded").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar, Protocol

from pydantic import Field
from torch import Tensor, nn

from ptuning.config import Hashed, Schema


class Draw(Protocol):
    """A distribution that initial weights are drawn from."""

    def draw(self, *shape: int) -> Tensor:
        """Raises InputError where an initialization is none."""


class Reparameterization(nn.Module, ABC):
    class Config(Schema):
        """The keys of `prompt.reparameterization`: the name, and those of the file itself."""

        hashed_under = "reparameterization_keys."

        name: Annotated[str, Hashed(key="reparameterization")] = Field(
            description="a file in ptuning/prompts/reparameterizations"
        )

    starts_from_prompt: ClassVar[bool] = False  # else its weights are drawn from a distribution

    def __init__(
        self, config: Config, length: int, width: int, input_width: int, start: Callable[[], Tensor], init: Draw
    ) -> None:
        """`start` gives the prompt `[length, width]` to start from; `init` draws weights of any shape; `input_width`
        is that of what goes into it, where it has an input."""
        super().__init__()

    @abstractmethod
    def forward(self) -> Tensor:
        """The prompt `[P, W]`."""
