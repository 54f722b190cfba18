"""Micro precision, recall and F1 of the spans that BIO tags mark, in percent, as conlleval counts them (Tjong Kim Sang
and De Meulder, 2003)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.formats.spans import of_tags
from ptuning.metrics.spans import span_f1


class SpanF1(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        tags = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: the tags of N sentences each.",
            features=datasets.Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, predictions: Sequence[list[str]], references: Sequence[list[str]]) -> dict[str, float]:
        return span_f1([of_tags(tags) for tags in references], [of_tags(tags) for tags in predictions])
