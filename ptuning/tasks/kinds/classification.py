"""Tasks answered with one of a few labels or choices."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ptuning.metrics.classification import accuracy
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Example


class ClassificationTask(Task[Example, np.ndarray]):
    """A task answered with logits `[N, number of labels or choices]`."""

    def format_prediction(self, example: Example, answer: np.ndarray) -> dict[str, Any]:
        """The likeliest label and the probability of each; `text` tells the examples of one row apart (the answers to
        a MultiRC question, the entities of a ReCoRD passage)."""
        shares = np.exp(answer - answer.max())
        return {
            "label": self.labels[int(answer.argmax())],
            "probabilities": dict(zip(self.labels, map(float, shares / shares.sum()), strict=True)),
            "text": example.segments[-1][1] or example.segments[-1][0],
        }

    def said(self, examples: Sequence[Example], answers: np.ndarray) -> list[Hashable]:
        """The label, or the choice."""
        return list(answers.argmax(axis=-1).tolist())

    def constant_answer(self, examples: Sequence[Example], answers: np.ndarray) -> str | None:
        """The label, or the choice."""
        chosen = np.unique(answers.argmax(axis=-1))
        return self.labels[chosen[0]] if len(chosen) == 1 else None


class AccuracyTask(ClassificationTask):
    """A classification task whose metric is accuracy."""

    metric = "accuracy"

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        return {"accuracy": accuracy([example.label for example in examples], logits.argmax(axis=-1))}

    def is_correct(self, examples: Sequence[Example], logits: np.ndarray) -> list[int]:
        answers = logits.argmax(axis=-1).tolist()
        return [int(example.label == answer) for example, answer in zip(examples, answers, strict=True)]
