"""Accuracy of N labels, in percent (SuperGLUE; Wang et al., 2019, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.classification import accuracy


class Accuracy(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        label = datasets.Value("int32")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: N labels each, whole numbers.",
            features=datasets.Features({"predictions": label, "references": label}),
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"accuracy": accuracy(references, predictions)}
