"""What a task is: data in an official format, an encoding of it, and a metric."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ptuning.packages import Package

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One thing to answer.

    `segments` holds the (first, second) texts of each sequence that the backbone reads: one pair for classification,
    one pair a choice for multiple choice. A second text of None makes a single-segment input. `label` is -1 where the
    row has none: such an example can be answered, not learned from. `group` is what the
    metric groups answers by (a MultiRC question, a ReCoRD query); `answer` is what a group's metric needs besides.
    """

    segments: tuple[tuple[str, str | None], ...]
    label: int
    group: tuple[int, ...] = ()
    answer: Any = None


def superglue(folder: str) -> dict[str, str]:
    """Where the official SuperGLUE archive keeps a task's labelled splits, below a data root."""
    return {"train": f"superglue/{folder}/train.jsonl", "dev": f"superglue/{folder}/val.jsonl"}


class Task(ABC):
    """One benchmark task. A subclass lives in a file named after it and is found by that name."""

    name: ClassVar[str]
    version: ClassVar[int]  # raised when an encoding or metric change can move a number: part of a run's identity
    head: ClassVar[str]  # the head that answers it, a name in `ptuning.heads`
    labels: ClassVar[tuple[str, ...]]
    metric: ClassVar[str]  # the key of `score` that tables print and that chooses the epoch
    folder: ClassVar[str]  # the task's folder in the official archive
    files: ClassVar[Mapping[str, str]]  # split -> path below the data root, for the `local` source
    hub: ClassVar[tuple[str, str]]  # data set and configuration on the Hugging Face hub
    package: ClassVar[Package | None] = None  # ships the whole data set, for the `package` source
    package_files: ClassVar[Mapping[str, str]] = {}  # path in the package -> SHA-256

    @abstractmethod
    def examples(self, row: Row, where: str) -> list[Example]:
        """The examples in one official row; `where` (file and line) opens the error that a malformed row raises."""

    @abstractmethod
    def official(self, rows: Iterable[Row]) -> Iterator[Row]:
        """A split as the hub stores it, in the official schema.

        It takes the whole split because the hub stores MultiRC a row an answer and ReCoRD a row a query, which stand
        together in one official row.
        """

    @abstractmethod
    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        """The official metrics, in percent, of `logits` [N, number of labels or choices]."""

    @abstractmethod
    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Generated families of official rows without end, which fine-tuning learns.

        A family's rows are made of the same words and carry every label equally often, so that neither majority nor
        a bag of words tells them apart. They have no `idx`: the source numbers them.
        """

    def packaged(self, files: Mapping[str, Path]) -> dict[str, list[tuple[str, Row]]]:
        """The splits in `package_files`, as (where, official row); for tasks with a `package`."""
        raise NotImplementedError(self.name)
