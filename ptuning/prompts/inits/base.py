"""What an initialization is: the values that a prompt starts from. A subclass lives in a file named after it.

It is given its context and imports none of it. A distribution overrides `draw` alone, and `draw_layer` where it
distinguishes layers; what gives the prompt itself
overrides `input_prompt` (embeddings), `deep_prompt` (keys and values), or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.config import Schema
from ptuning.errors import InputError
from ptuning.prompts.reparameterizations.base import Layer

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone
    from ptuning.backbones.sites import Site

Kind = Literal["input", "deep"]


@dataclass(frozen=True)
class SourcePrompt:
    """A trained prompt `[P, W]` that a run starts from, what to call it, and its weight among several."""

    name: str
    prompt: Tensor
    weight: float


@dataclass(frozen=True)
class InitContext:
    """What there is to start from. labels: the class labels of the run's task, or of all tasks of its mixture; random:
    the run's own stream for initial prompts."""

    backbone: Backbone
    labels: Sequence[str]
    sources: Sequence[SourcePrompt]
    random: torch.Generator

    @torch.no_grad()
    def embeddings(self, tokens: Sequence[int]) -> Tensor:
        """Those of the vocabulary, `[N, E]`."""
        ids = torch.tensor(tokens, dtype=torch.long, device=self.backbone.device)
        return self.backbone.model.get_input_embeddings()(ids).float().cpu()


class Init:
    class Config(Schema):
        """The keys of `prompt.init`: the name, and those of the file itself."""

        hashed_under = "init."

        name: str = Field(description="a file in ptuning/prompts/inits")

    kinds: ClassVar[tuple[Kind, ...]] = ("input", "deep")  # the prompts that can start from it
    is_distribution: ClassVar[bool] = False  # so that the weights of a reparameterization can be drawn from it too
    uses_sources: ClassVar[bool] = False
    can_be_fitted: ClassVar[bool] = False  # so that a reparameterization's weights can be made to give its prompt

    def __init__(self, config: Config, context: InitContext) -> None:
        self.config, self.context = config, context

    @property
    def random(self) -> torch.Generator:
        return self.context.random

    @classmethod
    def check(cls, name: str, kind: Kind, gives_prompt: bool, sources: int) -> None:
        """Raise InputError where a prompt of `kind` cannot start from this, with so many source runs; `gives_prompt`
        says whether its reparameterization starts from a prompt, and not from weights drawn from a distribution."""
        if kind not in cls.kinds:
            raise InputError(
                f"prompt.init.name={name} is of {' and '.join(cls.kinds)} prompts, and this method learns {kind} "
                "ones: choose another init (docs/methods.md says which fit)."
            )
        if not (gives_prompt or cls.is_distribution or cls.can_be_fitted):
            raise InputError(
                f"prompt.init.name={name} gives a prompt without what produces it: set "
                "prompt.reparameterization=none, or choose an init that is a distribution (init=normal)."
            )
        if cls.uses_sources and not sources:
            raise InputError(f"prompt.init.name={name} starts from source runs, and sources is empty: name one.")
        if sources and not cls.uses_sources:
            raise InputError(f"prompt.init.name={name} uses no sources: set init=prompt, or remove them.")

    def draw(self, *shape: int) -> Tensor:
        """Values of `shape`, `[*shape]`."""
        raise NotImplementedError

    @torch.no_grad()
    def draw_layer(self, layer: Layer) -> None:
        """Draw the weights of a reparameterization's layer; biases are 0."""
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.zeros(parameter.shape) if "bias" in name else self.draw(*parameter.shape))

    def fit(self, produce: Callable[[], Tensor], weights: Iterable[nn.Parameter], wanted: Tensor) -> None:
        """Let what `produce` gives of its `weights`, which were drawn, become the prompt `wanted` `[P, W]`: nothing to
        do for a distribution, which wants none."""

    def input_prompt(self, length: int) -> Tensor:
        """`[P, E]`. Raises InputError where the initialization gives none of that length."""
        return self.draw(length, self.context.backbone.embedding)

    def deep_prompt(self, length: int, sites: Sequence[Site]) -> Tensor:
        """`[P, sites x 2 x A x D]`, a key and a value at each of the `sites`. Raises InputError as `input_prompt`."""
        return self.draw(length, width(sites))


def width(sites: Sequence[Site]) -> int:
    """The numbers in a row of a deep prompt at `sites`."""
    return sum(2 * site.kv_heads * site.head_dim for site in sites)
