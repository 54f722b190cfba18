"""What a task is: data in an official format, an encoding of it, and a metric."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np

from ptuning.formats import json_files
from ptuning.metrics.classification import accuracy
from ptuning.pypi import Package

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One text, or one text a choice, to answer with a label.

    `segments` holds the (first, second) texts of each sequence that the backbone reads: one pair for classification,
    one pair a choice for multiple choice. A second text of None makes a single-segment input. `label` is -1 where the
    row has none: such an example can be answered, not learned from. `group` is what the
    metric groups answers by (a MultiRC question, a ReCoRD query); `answer` is what a group's metric needs besides.
    """

    segments: tuple[tuple[str, str | None], ...]
    label: int
    group: tuple[int, ...] = ()
    answer: Any = None

    @property
    def labelled(self) -> bool:
        return self.label >= 0


@dataclass(frozen=True)
class Sentence:
    """Words to label one by one. `labels` are places in the task's labels, one a word, None where the row has none;
    `about` is a second text that says what is asked of the words (SRL's predicate)."""

    words: tuple[str, ...]
    labels: tuple[int, ...] | None
    about: str | None = None

    @property
    def labelled(self) -> bool:
        return self.labels is not None


@dataclass(frozen=True)
class Question:
    """A question whose answer is a part of `context`, or nothing. `answers` are (text, first character), the first one
    to learn from, none for a question without an answer, and None where the row does not say."""

    question: str
    context: str
    answers: tuple[tuple[str, int], ...] | None

    @property
    def labelled(self) -> bool:
        return self.answers is not None


E = TypeVar("E", Example, Sentence, Question)  # what a task asks
A = TypeVar("A")  # what it is answered with: see `ptuning.training.datasets`


def superglue(folder: str) -> dict[str, str]:
    """Where the official SuperGLUE archive keeps a task's labelled splits, below a data root."""
    return {"train": f"superglue/{folder}/train.jsonl", "dev": f"superglue/{folder}/val.jsonl"}


class Task(ABC, Generic[E, A]):
    """One benchmark task. A subclass lives in a file named after it and is found by that name."""

    name: ClassVar[str]
    version: ClassVar[int]  # raised when an encoding or metric change can move a number: part of a run's identity
    head: ClassVar[str]  # the head that answers it, a name in `ptuning.heads`
    labels: ClassVar[tuple[str, ...]]
    metric: ClassVar[str]  # the key of `score` that tables print and that chooses the epoch
    folder: ClassVar[str]  # the task's folder in the official archive
    # split -> path below the data root, for the `local` source: train, dev, and test sets by any name
    files: ClassVar[Mapping[str, str]]
    hub: ClassVar[tuple[str, str] | None] = None  # data set and configuration on the Hugging Face hub
    hub_revision: ClassVar[str | None] = None  # the branch there, where it is not the newest of the default one
    hub_splits: ClassVar[Mapping[str, str]] = {"train": "train", "dev": "validation"}  # split -> its name there
    origin: ClassVar[str] = ""  # for data that are not free: who gives them, and how the files are made
    package: ClassVar[Package | None] = None  # ships the whole data set, for the `package` source
    package_files: ClassVar[Mapping[str, str]] = {}  # path in the package -> SHA-256
    stride: ClassVar[int] = 32  # tokens that two windows of a text too long for one share, where it is windowed

    def read(self, path: Path) -> list[tuple[str, Row]]:
        """The rows of a file (or folder) in the official format, each with where it stands. Raises InputError."""
        return json_files.json_lines(path)

    def arranged(self, splits: dict[str, list[tuple[str, Row]]]) -> dict[str, list[tuple[str, Row]]]:
        """The splits to use, from those of the files."""
        return splits

    @abstractmethod
    def examples(self, row: Row, where: str) -> list[E]:
        """The examples in one official row; `where` (file and line) opens the error that a malformed row raises."""

    @abstractmethod
    def official(self, rows: Iterable[Row]) -> Iterator[Row]:
        """A split as the hub stores it, in the official schema.

        It takes the whole split because the hub stores MultiRC a row an answer and ReCoRD a row a query, which stand
        together in one official row.
        """

    @abstractmethod
    def score(self, examples: Sequence[E], answers: A) -> dict[str, float]:
        """The official metrics, in percent."""

    def right(self, examples: Sequence[E], answers: A) -> list[int]:
        """1 for each example that is answered rightly, 0 for the others; none where the metric is no share of them."""
        return []

    @abstractmethod
    def shown(self, example: E, answer: Any) -> dict[str, Any]:
        """One example's answer as JSON, for those who ask with data of their own."""

    @abstractmethod
    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Generated families of official rows without end, which fine-tuning learns.

        A family's rows are made of the same words and carry every label equally often, so that neither majority nor
        a bag of words tells them apart. They have no `idx`: the source numbers them.
        """

    def packaged(self, files: Mapping[str, Path]) -> dict[str, list[tuple[str, Row]]]:
        """The splits in `package_files`, as (where, official row); for tasks with a `package`."""
        raise NotImplementedError(self.name)


AnyTask: TypeAlias = Task[Any, Any]


class Classifying(Task[Example, np.ndarray]):
    """A task answered with logits `[N, number of labels or choices]`."""

    def shown(self, example: Example, answer: np.ndarray) -> dict[str, Any]:
        """The likeliest label and the probability of each; `text` tells the examples of one row apart (the answers to
        a MultiRC question, the entities of a ReCoRD passage)."""
        shares = np.exp(answer - answer.max())
        return {
            "label": self.labels[int(answer.argmax())],
            "probabilities": dict(zip(self.labels, map(float, shares / shares.sum()), strict=True)),
            "text": example.segments[-1][1] or example.segments[-1][0],
        }


class ByAccuracy(Classifying):
    """A task whose metric is the share of right answers."""

    metric = "accuracy"

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        return {"accuracy": accuracy([example.label for example in examples], logits.argmax(axis=-1))}

    def right(self, examples: Sequence[Example], logits: np.ndarray) -> list[int]:
        answers = logits.argmax(axis=-1).tolist()
        return [int(example.label == answer) for example, answer in zip(examples, answers, strict=True)]
