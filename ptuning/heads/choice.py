"""Multiple choice: a text a choice, a score each, softmax over an example's choices."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ptuning.heads.base import HeadContext, without_bias
from ptuning.heads.classification import Classification


class Choice(Classification):
    """A score for each (text, choice) sequence; softmax over an example's choices."""

    peft_task = None

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        without_bias(self.linear)  # it is the same for all choices
        self.choices = len(context.labels)

    @staticmethod
    def outputs(context: HeadContext) -> int:
        return 1

    @classmethod
    def carries_over(cls, labels: Sequence[str], others: Sequence[str]) -> bool:
        """Choices have no weights of their own."""
        return len(labels) == len(others)

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, choices]` of hidden states `[B x choices, 1, H]`, an example's choices one after another."""
        return super().forward(hidden, real, dropout_mask).view(-1, self.choices)
