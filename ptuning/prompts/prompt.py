"""What a prompt is, and what produces it (reparameterization), apart from how it joins the backbone.

A reparameterization is a module whose forward gives `[P, width]`: the width is E for an input prompt, and layers x 2
x A x D for a deep one. Training may go through an MLP; only its output is kept afterwards ("folded").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ptuning.config import Schema
from ptuning.prompts.placement import Placement, Positions

Reparameterization = Literal["none", "mlp"]


class PromptConfig(Schema):
    """The keys that every method with a prompt understands."""

    length: int = Field(ge=1)
    placement: Placement
    positions: Positions
    reparameterization: Reparameterization
    mlp_hidden: int = Field(ge=1, description="width of the MLP's hidden layer; unused without one")
    init_std: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1, description="on the prompt itself, elementwise, drawn anew for each example")


class Direct(nn.Module):
    """No reparameterization: the prompt is the parameter."""

    def __init__(self, length: int, width: int, std: float, random: torch.Generator) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.randn(length, width, generator=random) * std)

    def forward(self) -> Tensor:
        return self.prompt


class MLP(nn.Module):
    """Embedding `[P, H]`, Linear to `hidden`, tanh, Linear to `width`: the P-Tuning v2 code's prefix encoder."""

    def __init__(
        self, length: int, width: int, embedding: int, hidden: int, std: float, random: torch.Generator
    ) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, embedding, generator=random) * std)
        self.hidden, self.output = nn.Linear(embedding, hidden), nn.Linear(hidden, width)
        for linear in (self.hidden, self.output):
            nn.init.normal_(linear.weight, std=std, generator=random)
            nn.init.zeros_(linear.bias)

    def forward(self) -> Tensor:
        return self.output(torch.tanh(self.hidden(self.embedding)))


def produce(config: PromptConfig, width: int, embedding: int, random: torch.Generator) -> nn.Module:
    """The module that produces a prompt `[P, width]` as `config` says; `embedding` is the width an MLP starts from."""
    if config.reparameterization == "mlp":
        return MLP(config.length, width, embedding, config.mlp_hidden, config.init_std, random)
    return Direct(config.length, width, config.init_std, random)


def fold(producer: nn.Module) -> dict[str, Tensor]:
    """The state of the `Direct` module that gives what `producer` gives."""
    with torch.no_grad():
        return {"prompt": producer().detach().clone()}


def folds_to_itself(prompt: Mapping[str, object]) -> bool:
    """Whether the trained weights are the prompt itself."""
    return prompt["reparameterization"] == "none"


def folded_config(prompt: Mapping[str, object] | None) -> dict[str, object] | None:
    """The prompt config under which folded weights load."""
    return None if prompt is None else {**prompt, "reparameterization": "none"}
