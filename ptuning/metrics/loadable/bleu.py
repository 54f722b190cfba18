"""BLEU-4, in percent (Papineni et al., 2002), as mteval-v13a and the E2E challenge's scorer compute it: without regard
to case, unless `cased`, which is sacreBLEU's default (Post, 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.generated_texts import of_texts
from ptuning.metrics.overlap import bleu


class BLEU(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(
        self, predictions: Sequence[str], references: Sequence[list[str]], cased: bool = False
    ) -> dict[str, float]:
        return {"bleu": bleu(predictions, references, cased)}
