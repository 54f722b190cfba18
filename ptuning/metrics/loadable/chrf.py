"""chrF2, in percent (Popović, 2015), as sacreBLEU computes it."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.generated_texts import of_texts
from ptuning.metrics.overlap import chrf


class ChrF(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"chrf": chrf(predictions, references)}
