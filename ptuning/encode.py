"""Text to token sequences: what the backbone's tokenizer makes of a task's examples, in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ptuning import data
from ptuning.config import RunConfig
from ptuning.data import TaskData
from ptuning.tasks.base import Example, Task

CHUNK = 4096  # sequences tokenized at a time: the tokenizer's own output is many times the size of the arrays


@dataclass(frozen=True, eq=False)
class Encoded:
    """A split as the backbone reads it: `S` token sequences end to end, `choices` of them an example.

    tokens, types: `[all tokens]`; starts: `[S + 1]`, where each sequence begins; infix: `[S]`, the index right of the
    first segment's last token; labels: `[N]`, with `S = N x choices` and an example's sequences one after another.
    """

    tokens: np.ndarray
    types: np.ndarray
    starts: np.ndarray
    infix: np.ndarray
    labels: np.ndarray
    choices: int

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, `[S]`."""
        return np.diff(self.starts)

    @cached_property
    def longest(self) -> np.ndarray:
        """Tokens of each example's longest sequence, `[N]`."""
        return self.lengths.reshape(-1, self.choices).max(axis=1)

    def first(self, count: int) -> Encoded:
        """The first `count` examples."""
        sequences = count * self.choices
        end = self.starts[sequences]
        return Encoded(
            self.tokens[:end], self.types[:end], self.starts[: sequences + 1], self.infix[:sequences],
            self.labels[:count], self.choices,
        )  # fmt: skip

    def sequences(self, rows: np.ndarray) -> np.ndarray:
        """The sequences of the examples `rows`."""
        return (rows[:, None] * self.choices + np.arange(self.choices)).ravel()


@dataclass(frozen=True)
class Material:
    """What a run learns from and is judged by. Runs of one task on one backbone share it."""

    task: Task
    data: TaskData
    train: Encoded
    dev: Encoded


class Materials:
    """The materials of a sweep's runs, read and tokenized once each."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.known: dict[tuple[str, str], Material] = {}

    def of(self, config: RunConfig) -> Material:
        """Raises InputError as `data.load` does."""
        key = config.task.model_dump_json(), config.data.model_dump_json()
        if key not in self.known:
            task, loaded = data.of(config)
            train, dev = (encode(part, self.tokenizer, config.task.max_length) for part in (loaded.train, loaded.dev))
            self.known[key] = Material(task, loaded, train, dev)
        return self.known[key]


def encode(examples: Sequence[Example], tokenizer: Any, max_length: int) -> Encoded:
    """Tokenize `examples`, cutting the longer segment first to at most `max_length` tokens, as the authors do."""
    counts = {len(example.segments) for example in examples}
    if len(counts) != 1:
        raise ValueError("all examples of a task have the same number of sequences")
    pairs = [segments for example in examples for segments in example.segments]
    if len({second is None for _, second in pairs}) != 1:
        raise ValueError("a task's examples have either one segment each or two")
    parts = [_tokenize(pairs[at : at + CHUNK], tokenizer, max_length) for at in range(0, len(pairs), CHUNK)]
    tokens, types, lengths, infix = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Encoded(
        tokens=tokens,
        types=types,
        starts=np.concatenate([[0], lengths.cumsum()]),
        infix=infix,
        labels=np.array([example.label for example in examples]),
        choices=counts.pop(),
    )


def _tokenize(pairs: Sequence[tuple[str, str | None]], tokenizer: Any, max_length: int) -> tuple[np.ndarray, ...]:
    texts = [[first for first, _ in pairs]]
    if pairs[0][1] is not None:
        texts.append([str(second) for _, second in pairs])
    batch = tokenizer(*texts, truncation=True, max_length=max_length)
    ids = batch["input_ids"]
    types = batch["token_type_ids"] if "token_type_ids" in batch else [[0] * len(one) for one in ids]
    segments = [batch.sequence_ids(index) for index in range(len(ids))]
    infix = [max((i + 1 for i, segment in enumerate(one) if segment == 0), default=1) for one in segments]
    return (
        np.concatenate([np.array(one, dtype=np.int32) for one in ids]),
        np.concatenate([np.array(one, dtype=np.int8) for one in types]),
        np.array([len(one) for one in ids]),
        np.array(infix),
    )
