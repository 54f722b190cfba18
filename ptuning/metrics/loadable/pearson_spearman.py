"""Pearson and Spearman correlations of N scores, in percent (STS-B in GLUE; Wang et al., 2019, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.correlation import pearson, spearman


class PearsonSpearman(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        score = datasets.Value("float64")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: N numbers each.",
            features=datasets.Features({"predictions": score, "references": score}),
        )

    def _compute(self, predictions: Sequence[float], references: Sequence[float]) -> dict[str, float]:
        return {"pearson": pearson(references, predictions), "spearman": spearman(references, predictions)}
