"""What a rule is: it makes one answer to each example from those of several prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from ptuning.tasks.base import AnyTask


class Rule(ABC):
    """A subclass lives in a file named after it and is found by that name."""

    fewest: ClassVar[int]  # prompts that it takes
    most: ClassVar[int | None]  # None: any number

    @classmethod
    @abstractmethod
    def combine(cls, task: AnyTask, examples: Sequence[Any], answers: Sequence[Any]) -> Any:
        """The answers to `examples`, as `task.score` takes them, from those of each prompt. Raises InputError where
        the task's answers cannot be combined so."""
