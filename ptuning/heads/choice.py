"""Multiple choice: a text a choice, a score each, softmax over an example's choices."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ptuning.heads.base import without_bias
from ptuning.heads.classification import Classification


class Choice(Classification):
    """A score for each (text, choice) sequence; softmax over an example's choices."""

    def __init__(self, hidden: int, labels: int, *rest: Any, **named: Any) -> None:
        super().__init__(hidden, labels, *rest, **named)
        without_bias(self.linear)  # it is the same for all choices
        self.choices = labels

    def outputs(self, labels: int) -> int:
        return 1

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, choices]` of hidden states `[B x choices, 1, H]`, an example's choices one after another."""
        return super().forward(hidden, real, dropout_mask).view(-1, self.choices)
