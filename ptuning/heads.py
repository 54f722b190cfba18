"""From hidden states to a task's answer.

A head is given the hidden states of the real tokens alone, [CLS] first: prompt rows that stood among them are taken
out before (`ptuning.lanes`), so that no head reads a virtual token, and labels of tokens are where the text has them.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning.encode import IGNORED
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
        self.linear = _linear(hidden, self.outputs(labels), random)

    def outputs(self, labels: int) -> int:
        return labels

    @abstractmethod
    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits of hidden states `[B, T, H]`, [CLS] at 0; `real` `[B, T]` is false at padding."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of the items whose targets are `[B, K]`."""

    def answers(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """What is kept of each item's logits, floating-point, not finite where they are not; `lengths`: its tokens."""
        return list(logits.float().cpu().numpy())


class Classification(Head):
    """Pooler (or none), dropout, one linear layer on [CLS]; cross-entropy over the labels."""

    reads_cls_alone = True

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits `[B, labels]`."""
        return self.linear(self.dropout(self.pooler(hidden[:, 0].float())))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets[:, 0])


class Choice(Classification):
    """A score for each (text, choice) sequence; softmax over an example's choices."""

    def __init__(self, hidden: int, labels: int, *rest: Any, **named: Any) -> None:
        super().__init__(hidden, labels, *rest, **named)
        _without_bias(self.linear)  # it is the same for all choices
        self.choices = labels

    def outputs(self, labels: int) -> int:
        return 1

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits `[B, choices]` of hidden states `[B x choices, T, H]`, an example's choices one after another."""
        return super().forward(hidden, real).view(-1, self.choices)


class Token(Head):
    """A label for each token; cross-entropy over those tokens that have a target."""

    reads_cls_alone = False

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits `[B, T, labels]`."""
        return self.linear(self.dropout(hidden.float()))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """`targets` `[B, K]`: a token's label, `IGNORED` where it has none. A batch without any has loss 0."""
        flat = logits[:, : targets.shape[1]].flatten(0, 1)
        total = functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return total / (targets != IGNORED).sum().clamp(min=1)

    def answers(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """The likeliest label of each token, `[T]`: all logits of a large set would not fit in memory."""
        best, label = logits.float().max(dim=-1)
        found = torch.where(best.isfinite(), label, best).cpu().numpy()
        return [one[:length] for one, length in zip(found, lengths, strict=True)]


class Span(Head):
    """For each token how likely it is the first, and the last, of the answer; cross-entropy over the tokens, the mean
    of the two."""

    reads_cls_alone = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        _without_bias(self.linear)  # it is the same at all tokens

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """Logits `[B, T, 2]`, as low as can be at padding."""
        logits = self.linear(self.dropout(hidden.float()))
        return logits.masked_fill(~real[..., None], torch.finfo(logits.dtype).min)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """`targets` `[B, 2]`: the first and the last token."""
        return functional.cross_entropy(logits, targets)

    def answers(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """The logits of each token, `[T, 2]`."""
        found = logits.cpu().numpy()
        return [one[:length].copy() for one, length in zip(found, lengths, strict=True)]


HEADS: dict[str, type[Head]] = {
    "classification": Classification,
    "choice": Choice,
    "token": Token,
    "span": Span,
}


def _without_bias(linear: nn.Linear) -> None:
    """A bias that is the same for all that a softmax is taken over cancels there, and drifts on rounding errors."""
    linear.register_parameter("bias", None)


def _linear(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=0.02, generator=random)
    nn.init.zeros_(linear.bias)
    return linear
