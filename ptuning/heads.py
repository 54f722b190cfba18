"""From hidden states to a task's answer. Every head reads the real [CLS], never a virtual token."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning.seeds import SeededDropout


class Pooler(nn.Module):
    """BERT's pooler: a dense layer and tanh on the [CLS] vector, `[B, H]` to `[B, H]`."""

    def __init__(self, hidden: int, random: torch.Generator, state: dict[str, Tensor] | None) -> None:
        super().__init__()
        self.dense = _linear(hidden, hidden, random)
        if state is not None:
            self.load_state_dict(copy.deepcopy(state))

    def forward(self, cls: Tensor) -> Tensor:
        return torch.tanh(self.dense(cls))


class Classification(nn.Module):
    """Pooler (or none), dropout, one linear layer on [CLS]; cross-entropy over the labels."""

    reads_cls_alone = True  # so that the last layer need not work out the other tokens

    def __init__(
        self, hidden: int, labels: int, pooler: nn.Module, dropout: float, random: torch.Generator,
        noise: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pooler = pooler
        self.dropout = SeededDropout(dropout, noise)
        self.linear = _linear(hidden, self.outputs(labels), random)

    def outputs(self, labels: int) -> int:
        return labels

    def forward(self, hidden: Tensor, cls: Tensor) -> Tensor:
        """Logits `[B, labels]` of hidden states `[B, T, H]` whose real [CLS] is at `cls` `[B]`."""
        at_cls = hidden[torch.arange(len(cls), device=cls.device), cls].float()
        return self.linear(self.dropout(self.pooler(at_cls)))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels)


class Choice(Classification):
    """A score for each (text, choice) sequence; softmax over an example's choices."""

    def __init__(self, hidden: int, labels: int, *rest: object, **named: object) -> None:
        super().__init__(hidden, labels, *rest, **named)  # type: ignore[arg-type]
        self.linear.register_parameter("bias", None)  # it would cancel in the softmax and drift on rounding errors
        self.choices = labels

    def outputs(self, labels: int) -> int:
        return 1

    def forward(self, hidden: Tensor, cls: Tensor) -> Tensor:
        """Logits `[B, choices]` of hidden states `[B x choices, T, H]`, an example's choices one after another."""
        return super().forward(hidden, cls).view(-1, self.choices)


HEADS: dict[str, type[Classification]] = {"classification": Classification, "choice": Choice}


def _linear(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=0.02, generator=random)
    nn.init.zeros_(linear.bias)
    return linear
