"""From a task's examples to what the backbone reads, and from its answers back: one module a way of asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import ModuleType
from typing import Any

import numpy as np

from ptuning import data
from ptuning.config import RunConfig
from ptuning.data import TaskData
from ptuning.encode import spans, texts, words
from ptuning.encode.base import IGNORED, Encoded
from ptuning.tasks.base import AnyTask

__all__ = ["IGNORED", "Encoded", "Material", "Materials", "collect", "encode"]

WAYS: dict[str, ModuleType] = {"classification": texts, "choice": texts, "token": words, "span": spans}  # a head's


def encode(task: AnyTask, examples: Sequence[Any], tokenizer: Any, max_length: int) -> Encoded:
    """`examples` of `task` as token sequences of at most `max_length`. Raises InputError where one cannot be."""
    encoded: Encoded = WAYS[task.head].encode(task, examples, tokenizer, max_length)
    return encoded


def collect(task: AnyTask, examples: Sequence[Any], encoded: Encoded, found: Sequence[np.ndarray]) -> Any:
    """The examples' answers, as `task.score` takes them, from those of the items of `encoded`."""
    return WAYS[task.head].collect(task, examples, encoded, found)


@dataclass(frozen=True)
class Material:
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


class Materials:
    """The materials of a sweep's runs, read and tokenized once each."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.known: dict[tuple[str, str], Material] = {}

    def of(self, config: RunConfig) -> Material:
        """Raises InputError as `data.load` and `encode` do."""
        key = config.task.model_dump_json(), config.data.model_dump_json()
        if key not in self.known:
            task, loaded = data.of(config)
            read = partial(encode, task, tokenizer=self.tokenizer, max_length=config.single.max_length)
            self.known[key] = Material(task, loaded, read(loaded.train), read(loaded.dev), read)
        return self.known[key]
