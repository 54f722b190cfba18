"""NIST-5 (Doddington, 2002), as mteval-v13a and the E2E challenge's scorer compute it: no percentage."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.generated_texts import of_texts
from ptuning.metrics.overlap import nist


class NIST(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"nist": nist(predictions, references)}
