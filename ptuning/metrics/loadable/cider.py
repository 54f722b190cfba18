"""CIDEr-D, from 0 to 10 (Vedantam et al., 2015), as the E2E challenge's scorer (coco-caption) computes it."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.captions import cider
from ptuning.metrics.generated_texts import of_texts


class CIDEr(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"cider": cider(predictions, references)}
