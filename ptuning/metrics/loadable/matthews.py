"""Matthews correlation of N labels, 0 or 1, in percent (CoLA in GLUE; Wang et al., 2019, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.classification import matthews


class Matthews(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        label = datasets.Value("int32")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: N labels each, 0 or 1.",
            features=datasets.Features({"predictions": label, "references": label}),
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int]) -> dict[str, float]:
        return {"matthews": matthews(references, predictions)}
