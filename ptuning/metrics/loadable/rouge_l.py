"""ROUGE-L, in percent, as the E2E challenge's scorer (coco-caption) computes it: the F of precision and recall of the
best references, recall weighing more. `rouge` has the ROUGE-L of summaries."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.captions import rouge_l
from ptuning.metrics.generated_texts import of_texts


class RougeL(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"rouge_l": rouge_l(predictions, references)}
