"""Classification and multiple choice: one text an example, or one a choice, and a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ptuning.encode.base import Encoded
from ptuning.encode.tokenize import cut
from ptuning.tasks.base import Example, Task


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
    )


def collect(
    task: Task[Example, Any], examples: Sequence[Example], encoded: Encoded, found: Sequence[np.ndarray]
) -> np.ndarray:
    """The examples' logits `[N, labels]`."""
    return np.stack(found)
