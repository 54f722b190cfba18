"""MultiRC's F1a over all answers and EM over questions, in percent (Khashabi et al., 2018; SuperGLUE section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from ptuning.metrics.classification import binary_f1, exact_match_by_group


class MultiRC(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        label = datasets.Value("int32")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: N of {question: its number, label: 0 or 1}; references: N labels.",
            features=datasets.Features({"predictions": {"question": label, "label": label}, "references": label}),
        )

    def _compute(self, predictions: Sequence[dict[str, Any]], references: Sequence[int]) -> dict[str, float]:
        labels = [prediction["label"] for prediction in predictions]
        questions = [prediction["question"] for prediction in predictions]
        return {
            "f1a": binary_f1(references, labels),
            "em": exact_match_by_group(questions, references, labels),
        }
