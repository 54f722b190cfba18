"""Classification: one text an example, and a label, read at [CLS]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from ptuning.data.encoded import Encoded
from ptuning.data.tokenizing import cut
from ptuning.heads.base import Head
from ptuning.seeds import Streams
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Example


class Classification(Head):
    """Pooler (or none), dropout, one linear layer on [CLS]; cross-entropy over the labels."""

    has_pooler = True

    def dropout_mask(self, streams: Streams, sequences: int, width: int) -> Tensor | None:
        """Of the pooled states, `[B, H]`."""
        return streams.keep_mask(self.dropout.rate, (sequences, self.linear.in_features))

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, labels]` of the states at [CLS], `[B, 1, H]`."""
        return self.linear(self.dropout(self.pooler(hidden[:, 0].float()), dropout_mask))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets[:, 0], reduction="sum")

    @staticmethod
    def encode(task: Task[Example, Any], examples: Sequence[Example], tokenizer: Any, max_length: int) -> Encoded:
        """Texts longer than `max_length` tokens are cut: the whole of the paper's inputs is."""
        counts = {len(example.segments) for example in examples}
        if len(counts) != 1:
            raise ValueError("all examples of a task have the same number of sequences")
        found = cut([segments for example in examples for segments in example.segments], tokenizer, max_length)
        return Encoded(
            tokens=found.tokens,
            types=found.types,
            starts=found.starts,
            infix=found.infix,
            targets=np.array([example.label for example in examples]),
            target_starts=np.arange(len(examples) + 1),
            owners=np.arange(len(examples)),
            choices=counts.pop(),
            reads=np.zeros(len(found.lengths), dtype=int),
        )

    @staticmethod
    def collect(
        task: Task[Example, Any], examples: Sequence[Example], encoded: Encoded, found: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The examples' logits `[N, labels]`."""
        return np.stack(found)
