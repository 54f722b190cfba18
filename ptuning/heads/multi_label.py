"""Several labels, of which each holds or does not, read where classification reads: one number a label, each by itself
(as transformers' `problem_type="multi_label_classification"`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional

from ptuning.heads.classification import Classification
from ptuning.tasks.kinds.examples import Tagged


class MultiLabel(Classification):
    """Pooler (or none), dropout, one linear layer; binary cross-entropy, the mean over the labels. A label holds where
    its logit is above 0."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Of `logits` and `targets` `[B, labels]`."""
        return functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="sum")

    def weight(self, targets: Tensor) -> float:
        """A loss a label."""
        return targets.numel()

    @staticmethod
    def targets(examples: Sequence[Tagged]) -> np.ndarray:
        """1 for a label that holds, else 0, `[N, labels]`; of a question, which says none, one 0."""
        most = max(len(example.labels or (0,)) for example in examples)
        return np.array([example.labels or (0,) * most for example in examples], dtype=np.float32)
