"""Tasks answered with a text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Request


class GenerationTask(Task[Request, list[str]]):
    """A task answered with a text for each example. `source` and `references` say what a row asks, and which texts
    would do."""

    head = "generation"
    answer_key = "text"
    template_fields: ClassVar[Sequence[str]] = ("source",)
    version = 1

    def examples(self, row: Row, where: str) -> list[Request]:
        return [Request(self.source(row, where), self.references(row, where), row.get("category", ""), where)]

    @abstractmethod
    def source(self, row: Row, where: str) -> str:
        """What the model reads. Raises InputError for a malformed row."""

    @abstractmethod
    def references(self, row: Row, where: str) -> tuple[str, ...] | None:
        """The texts that would do; None where the row has none. Raises InputError for a malformed row."""

    def baselines(self, examples: Sequence[Request]) -> Mapping[str, list[str]]:
        """Answers that take no model, by the name of the rule that gives them `[N]`: what scores are to be read
        against. `copy` is the source itself."""
        return {"copy": [example.source for example in examples]}

    def constant_answer(self, examples: Sequence[Request], answers: list[str]) -> str | None:
        """The text."""
        return answers[0] if len(set(answers)) == 1 else None

    def said(self, examples: Sequence[Request], answers: list[str]) -> list[Hashable]:
        """The text."""
        return list(answers)

    def format_prediction(self, example: Request, answer: str) -> dict[str, Any]:
        return {"text": answer}
