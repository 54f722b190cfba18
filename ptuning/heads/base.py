"""What a head is: a module that turns hidden states into predictions, how its inputs are encoded and how its outputs
are collected.

A head is given the hidden states of the real tokens that it reads (`Encoded.reads`), all or one of each sequence:
prompt rows that stood among them are taken out before (`ptuning.training.forward`), so that no head reads a virtual
token, and labels of tokens are where the text has them.
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
from ptuning.seeds import Dropout, Streams


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

    has_pooler: ClassVar[bool] = False

    def __init__(self, hidden: int, labels: int, pooler: nn.Module, dropout: float, random: torch.Generator) -> None:
        super().__init__()
        if self.has_pooler:
            self.pooler = pooler
        self.dropout = Dropout(dropout)
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

    def dropout_mask(self, streams: Streams, sequences: int, width: int) -> Tensor | None:
        """What dropout leaves of the states `[B, T, H]` that the head reads, in each of the `sequences` of a step's
        whole batch, of at most `width` tokens: those of the sequences in a pass come back to `forward`."""
        return streams.keep_mask(self.dropout.rate, (sequences, width, self.linear.in_features))

    @abstractmethod
    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits of the hidden states `[B, T, H]` that the head reads; `real` `[B, T]` is false at padding."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of items whose targets are `[B, K]`, summed over them: the step divides it by `weight`."""

    def weight(self, targets: Tensor) -> float:
        """By what the summed loss of a lane's whole batch, whose targets are `[B, K]`, is divided: its items."""
        return len(targets)

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
