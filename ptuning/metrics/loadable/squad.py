"""Exact match and token F1 with the nearest of a question's gold answers, in percent (SQuAD 1.1, Rajpurkar et al.,
2016; ReCoRD, Zhang et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.squad import squad_v1


class SQuAD(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: N answers; references: the gold answers, one or more each.",
            features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return squad_v1(predictions, references)
