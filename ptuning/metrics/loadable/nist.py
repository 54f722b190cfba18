"""NIST-5 (Doddington, 2002), as mteval-v13a and the E2E challenge's scorer compute it: no percentage."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.overlap import nist


class NIST(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: N texts; references: the texts that would do, one or more each.",
            features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"nist": nist(predictions, references)}
