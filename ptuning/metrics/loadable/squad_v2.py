"""Exact match and token F1 where a question may have no answer, in percent (SQuAD 2.0; Rajpurkar et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.squad import squad_v2


class SQuADv2(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description='predictions: N answers, "" for none; references: the gold answers, none or more each.',
            features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return squad_v2(predictions, references)
