"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries, in percent (Lin, 2004), as rouge-score has them: F of stemmed words."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.generated_texts import of_texts
from ptuning.metrics.rouge import rouge


class Rouge(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return rouge(predictions, references)
