"""BLEU-4, in percent (Papineni et al., 2002), as mteval-v13a and the E2E challenge's scorer compute it: without regard
to case, unless `cased`, which is sacreBLEU's default (Post, 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.overlap import bleu


class BLEU(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: N texts; references: the texts that would do, one or more each.",
            features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
        )

    def _compute(
        self, predictions: Sequence[str], references: Sequence[list[str]], cased: bool = False
    ) -> dict[str, float]:
        return {"bleu": bleu(predictions, references, cased)}
