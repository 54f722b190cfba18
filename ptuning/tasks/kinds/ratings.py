"""Tasks answered with a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ptuning.metrics.correlation import pearson, spearman
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Rating


class RatingTask(Task[Rating, np.ndarray]):
    """A task answered with numbers `[N]`."""

    head = "regression"
    answer_key = "score"

    def score(self, examples: Sequence[Rating], answers: np.ndarray) -> dict[str, float]:
        """Correlations of `answers` `[N]`, 0 where all answers are the same."""
        golds = [example.score for example in examples]
        return {"pearson": pearson(golds, answers), "spearman": spearman(golds, answers)}  # type: ignore[arg-type]

    def constant_answer(self, examples: Sequence[Rating], answers: np.ndarray) -> str | None:
        """The number, where all are equal but for rounding."""
        return f"{answers[0]:.2f}" if np.allclose(answers, answers[0]) else None

    def format_prediction(self, example: Rating, answer: np.ndarray) -> dict[str, Any]:
        first, second = example.segments[0]
        return {"score": float(answer), "text": second or first}
