"""Accuracy of N labels, and the F1 of label 1, in percent (MRPC and QQP in GLUE; Wang et al., 2019, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.classification import accuracy, binary_f1


class AccuracyF1(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        label = datasets.Value("int32")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: N labels each, 0 or 1.",
            features=datasets.Features({"predictions": label, "references": label}),
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"accuracy": accuracy(references, predictions), "f1": binary_f1(references, predictions)}
