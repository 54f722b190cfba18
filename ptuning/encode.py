"""Text to token sequences: what the backbone's tokenizer makes of a task's examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptuning.layout import TokenSequence
from ptuning.tasks.base import Example


@dataclass(frozen=True)
class Encoded:
    """An example as the backbone reads it: its sequences (several for multiple choice) and its label."""

    sequences: tuple[TokenSequence, ...]
    label: int

    @property
    def length(self) -> int:
        return max(len(sequence.input_ids) for sequence in self.sequences)


def encode(examples: Sequence[Example], tokenizer: Any, max_length: int) -> list[Encoded]:
    """Tokenize `examples`, cutting the longer segment first to at most `max_length` tokens, as the authors do."""
    pairs = [segments for example in examples for segments in example.segments]
    firsts = [first for first, _ in pairs]
    if all(second is not None for _, second in pairs):
        batch = tokenizer(firsts, [second for _, second in pairs], truncation=True, max_length=max_length)
    elif all(second is None for _, second in pairs):
        batch = tokenizer(firsts, truncation=True, max_length=max_length)
    else:
        raise ValueError("a task's examples have either one segment each or two")
    sequences = iter([_sequence(batch, index) for index in range(len(pairs))])
    return [
        Encoded(tuple(next(sequences) for _ in example.segments), example.label) for example in examples
    ]  # fmt: skip


def _sequence(batch: Any, index: int) -> TokenSequence:
    ids = list(batch["input_ids"][index])
    types = list(batch["token_type_ids"][index]) if "token_type_ids" in batch else [0] * len(ids)
    segments = batch.sequence_ids(index)
    return TokenSequence(ids, types, infix=max((i + 1 for i, s in enumerate(segments) if s == 0), default=1))
