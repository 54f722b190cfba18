"""Regression: a number for a text, read where classification reads (STS-B in GLUE)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional

from ptuning.data.encoded import Encoded
from ptuning.heads.base import HeadContext
from ptuning.heads.classification import Classification
from ptuning.tasks.kinds.examples import Rating


class Regression(Classification):
    """Pooler (or none), dropout, one linear layer with one output; squared error of the score as it stands in the
    data."""

    @staticmethod
    def outputs(context: HeadContext) -> int:
        return 1

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Of `logits` and `targets` `[B, 1]`."""
        return functional.mse_loss(logits, targets, reduction="sum")

    @staticmethod
    def targets(examples: Sequence[Rating]) -> np.ndarray:
        """The scores, `[N]`; 0 for a question, which has none."""
        return np.array([example.score or 0.0 for example in examples], dtype=np.float32)

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Rating], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The scores that are predicted, `[N]`."""
        return np.concatenate(predictions)
