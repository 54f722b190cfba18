"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries, in percent (Lin, 2004), as rouge-score has them: F of stemmed words."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.rouge import rouge


class Rouge(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: N texts; references: the texts that would do, one or more each.",
            features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return rouge(predictions, references)
