"""What a task is: data in an official format, examples made of them, and the metrics that score answers."""

from __future__ import annotations

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from ptuning.errors import InputError
from ptuning.formats import json_files
from ptuning.formats.rows import Row, Rows
from ptuning.pypi import Package
from ptuning.tasks.kinds.examples import SEGMENTS, Example, Fact, Question, Rating, Request, Sentence, Tagged

if TYPE_CHECKING:
    from ptuning.tasks.kinds.text_forms import TextForm

E = TypeVar("E", Example, Tagged, Rating, Fact, Sentence, Question, Request)  # what a task asks
OFFICIAL_DEV = "official_dev"  # the test set that the official dev set is where another one is used for development
A = TypeVar("A")  # what it is answered with: what its head's `collect` gives (`ptuning.heads.base`)


class Task(ABC, Generic[E, A]):
    """One task. A subclass lives in a file named after it and is found by that name. It needs a `name`, a `head`, a
    `metric`, `examples`, `score` and `format_prediction`; all else only for the data that it concerns: `files` and
    `folder` those of a folder, `hub` and `from_hub` those of the hub, `miniature` generated ones."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # raised when an encoding or metric change can move a number: part of a run's identity
    head: ClassVar[str]  # the head that answers it, a name in `ptuning.heads`
    labels: tuple[str, ...] = ()  # labels or choices, where it has any; those of an instance may be its data's
    template_fields: ClassVar[Sequence[str]] = SEGMENTS  # the names of its examples' texts, for templates
    metric: ClassVar[str]  # the key of `score` that tables print and that chooses the epoch
    folder: ClassVar[str] = ""  # the task's folder in the official archive, where there is one
    # split -> path below the data root, for the `local` source: train, dev, and test sets by any name
    files: ClassVar[Mapping[str, str]] = {}
    extra_tests: ClassVar[Sequence[str]] = (OFFICIAL_DEV,)  # test sets that are read where `data.files` has their file
    hub: ClassVar[tuple[str, str | None] | None] = None  # data set and configuration on the Hugging Face hub
    hub_revision: ClassVar[str | None] = None  # the branch there, where it is not the newest of the default one
    hub_splits: ClassVar[Mapping[str, str]] = {"train": "train", "dev": "validation"}  # split -> its name there
    leaves_out_unlabelled: ClassVar[bool] = False  # whether rows without a label stand in labelled splits, of no use
    origin: ClassVar[str] = ""  # for data that are not free: who gives them, and how the files are made
    package: ClassVar[Package | None] = None  # ships the whole data set, for the `package` source
    package_files: ClassVar[Mapping[str, str]] = {}  # path in the package -> SHA-256
    stride: ClassVar[int] = 32  # tokens that two windows of a text too long for one share, where it is windowed
    answer_key: ClassVar[str] = "label"  # of what `format_prediction` gives, the answer itself
    asks_several: ClassVar[bool] = False  # whether a row may ask several things

    def read(self, path: Path) -> list[tuple[str, Row]]:
        """The rows of a file (or folder) in the official format, each with where it stands. Raises InputError."""
        return json_files.json_lines(path)

    @property
    def wanted_file(self) -> str:
        """What should be at a path of `files`, in words."""
        return f"the official {self.folder} file" if self.folder else "the file"

    def check_splits(self, given: Mapping[str, str]) -> None:
        """Raise InputError where `data.files`, which is `given`, names a split that the task has not."""
        known = list(dict.fromkeys([*(self.files or ("train", "dev")), *self.extra_tests]))
        for split in given:
            if split not in known:
                raise InputError(f"data.files.{split} is not a split: choose from {', '.join(known)}.")

    def others_beside(self, path: Path) -> list[Path]:
        """What lies beside a file or folder and could be meant as well, so that the choice has to be named."""
        return []

    def make_splits(self, splits: dict[str, list[tuple[str, Row]]]) -> dict[str, list[tuple[str, Row]]]:
        """The splits to use, made of those of the files; the same by default."""
        return splits

    @abstractmethod
    def examples(self, row: Row, where: str) -> list[E]:
        """The examples in one official row; `where` (file and line) opens the error that a malformed row raises."""

    def text_keys(self) -> Sequence[str]:
        """The keys of an official row that are all that a question needs, its texts in their order; none where it
        needs more than texts."""
        return ()

    def row(self, texts: Sequence[str]) -> Row:
        """An official row without a label that asks about plain texts. Raises InputError where such a row needs
        others, or more than texts."""
        keys = self.text_keys()
        if not keys:
            raise InputError(
                f"task.name={self.name} is not asked with plain texts: give a row of its official format, as a dict."
            )
        if len(texts) != len(keys):
            raise InputError(
                f"task.name={self.name} is asked with {len(keys)} text(s) ({', '.join(keys)}), and {len(texts)} are "
                "given: give so many, as a string or a tuple."
            )
        return dict(zip(keys, texts, strict=True))

    def found_labels(self, splits: Mapping[str, Rows]) -> tuple[str, ...]:
        """The labels in the rows of all `splits`, for a task whose labels are its data's own; none for others."""
        return ()

    def with_labels(self, labels: Sequence[str]) -> Self:
        """The task, with these labels for its own."""
        found = copy.copy(self)
        found.labels = tuple(labels)
        return found

    def answers(self, splits: Mapping[str, Rows]) -> tuple[str, ...]:
        """What the rows of all `splits` answer, where that makes what can be answered at all: labels of the data."""
        return ()

    def quirks(self, row: Row) -> list[str]:
        """What is odd about an official row that is read all the same, a line a time that it occurs."""
        return []

    def counts(self, examples: Sequence[E]) -> dict[str, int]:
        """What the examples of a split hold besides their number, where that says something of them."""
        return {}

    def hub_rows(self, loaded: Any) -> list[Row]:
        """The rows of a split that `datasets` has loaded."""
        return [dict(row) for row in loaded]

    def is_unlabelled(self, row: Row) -> bool:
        """Whether a row of the hub has no label, of which -1 is the mark there."""
        return row.get("label") == -1

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """A split as the hub stores it, in the official schema; as it is by default. Raises InputError where the hub
        has none.

        It takes the whole split because the hub stores MultiRC a row an answer and ReCoRD a row a query, which stand
        together in one official row.
        """
        return iter(rows)

    @abstractmethod
    def score(self, examples: Sequence[E], answers: A) -> dict[str, float]:
        """The official metrics, in percent."""

    def is_correct(self, examples: Sequence[E], answers: A) -> list[int]:
        """1 for each example that is answered correctly, 0 for the others `[N]`; empty where the metric is no share of
        examples."""
        return []

    def constant_answer(self, examples: Sequence[E], answers: A) -> str | None:
        """The one answer that is given to all examples, in words, where it is one: None where answers differ. A score
        of such answers says nothing of what was learnt."""
        return None

    def said(self, examples: Sequence[E], answers: A) -> list[Hashable]:
        """What is said to each example, to be voted on `[N]`. Raises InputError for a task whose answers cannot be."""
        raise InputError(f"answers of task.name={self.name} cannot be voted on: choose evaluate.rule=single.")

    def text_form(self) -> TextForm[E] | None:
        """How it is asked and answered in texts (`head=text_to_text`); None where it is not."""
        return None

    @abstractmethod
    def format_prediction(self, example: E, answer: Any) -> dict[str, Any]:
        """One example's answer as JSON values, for questions that users ask (`ptuning.predict`)."""

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Generated families of official rows without end, which fine-tuning learns. Raises InputError by default.

        A family's rows are made of the same words and carry every label equally often, so that neither majority nor
        a bag of words tells them apart. They have no `idx`: the source numbers them.
        """
        raise InputError(
            f"data.source=miniature: {self.name} generates no data: choose data=local data.root=<folder>."
        )

    def from_package(self, files: Mapping[str, Path]) -> dict[str, list[tuple[str, Row]]]:
        """The splits in `package_files`, as (where, official row); for tasks with a `package`."""
        raise NotImplementedError(self.name)


AnyTask: TypeAlias = Task[Any, Any]
