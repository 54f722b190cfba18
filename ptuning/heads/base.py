"""What a head is: a module that turns hidden states into predictions, how its inputs are encoded and how its outputs
are collected.

A head is given the hidden states of the real tokens alone, [CLS] first: prompt rows that stood among them are taken
out before (`ptuning.training.forward`), so that no head reads a virtual token, and labels of tokens are where the text
has them.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ptuning.data.encoded import Encoded
from ptuning.seeds import SeededDropout


class Pooler(nn.Module):
    """BERT's pooler: a dense layer and tanh on the [CLS] vector, `[B, H]` to `[B, H]`."""

    def __init__(self, hidden: int, random: torch.Generator, state: dict[str, Tensor] | None) -> None:
        super().__init__()
        self.dense = linear(hidden, hidden, random)
        if state is not None:
            self.load_state_dict(copy.deepcopy(state))

    def forward(self, cls: Tensor) -> Tensor:
        return torch.tanh(self.dense(cls))


class Head(nn.Module, ABC):
    """Dropout and one linear layer."""

    reads_cls_alone: ClassVar[bool]  # so that the last layer need not work out the other tokens; else no pooler

    def __init__(
        self, hidden: int, labels: int, pooler: nn.Module, dropout: float, random: torch.Generator,
        noise: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        if self.reads_cls_alone:
            self.pooler = pooler
        self.dropout = SeededDropout(dropout, noise)
        self.linear = linear(hidden, self.outputs(labels), random)

    def outputs(self, labels: int) -> int:
        return labels

    @staticmethod
    @abstractmethod
    def encode(task: Any, examples: Sequence[Any], tokenizer: Any, max_length: int) -> Encoded:
        """`examples` of `task` as token sequences of at most `max_length`. Raises InputError where one cannot be."""

    @staticmethod
    @abstractmethod
    def collect(task: Any, examples: Sequence[Any], encoded: Encoded, found: Sequence[np.ndarray]) -> Any:
        """The examples' predictions, as `task.score` takes them, from those of the items of `encoded`."""

    @abstractmethod
    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits of hidden states `[B, T, H]`, [CLS] at 0; `real` `[B, T]` is false at padding."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the items whose targets are `[B, K]`."""

    def answers(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """What is kept of each item's logits, floating-point, not finite where they are not; `lengths`: its tokens."""
        return list(logits.float().cpu().numpy())


def without_bias(linear: nn.Linear) -> None:
    """A bias that is the same for all that a softmax is taken over cancels there, and drifts on rounding errors."""
    linear.register_parameter("bias", None)


def linear(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=0.02, generator=random)
    nn.init.zeros_(linear.bias)
    return linear
