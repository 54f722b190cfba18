"""What runs learn from and are judged by, tokenized once for all runs of a sweep that share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from ptuning import heads
from ptuning.config import RunConfig
from ptuning.data import splits
from ptuning.data.encoded import Encoded
from ptuning.data.splits import TaskData
from ptuning.tasks.base import AnyTask


def encode(task: AnyTask, examples: Sequence[Any], tokenizer: Any, max_length: int) -> Encoded:
    """`examples` of `task` as token sequences of at most `max_length`. Raises InputError where one cannot be."""
    encoded: Encoded = heads.load(task.head).encode(task, examples, tokenizer, max_length)
    return encoded


def collect(task: AnyTask, examples: Sequence[Any], encoded: Encoded, found: Sequence[np.ndarray]) -> Any:
    """The examples' answers, as `task.score` takes them, from those of the items of `encoded`."""
    return heads.load(task.head).collect(task, examples, encoded, found)


@dataclass(frozen=True)
class TaskDataset:
    """What a run learns from and is judged by. Runs of one task on one backbone share it."""

    task: AnyTask
    data: TaskData
    train: Encoded
    dev: Encoded
    read: Callable[[Sequence[Any]], Encoded]

    @cached_property
    def tests(self) -> dict[str, Encoded]:
        """The test sets, read when they are first asked for: a mixture never asks."""
        return {name: self.read(examples) for name, examples in self.data.tests.items()}


class DatasetCache:
    """The datasets of a sweep's runs, read and tokenized once each."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.known: dict[tuple[str, str], TaskDataset] = {}

    def of(self, config: RunConfig) -> TaskDataset:
        """Raises InputError as `data.load` and `encode` do."""
        key = config.task.model_dump_json(), config.data.model_dump_json()
        if key not in self.known:
            task, loaded = splits.load_for_run(config)
            read = partial(encode, task, tokenizer=self.tokenizer, max_length=config.single.max_length)
            self.known[key] = TaskDataset(task, loaded, read(loaded.train), read(loaded.dev), read)
        return self.known[key]
