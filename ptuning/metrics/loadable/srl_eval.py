"""Micro precision, recall and F1 of the arguments that BIO tags mark, in percent, as CoNLL-2005's srl-eval.pl counts
them: without the verb, pieces (C-) joined (Carreras and Marquez, 2005)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.formats.spans import of_tags
from ptuning.metrics.spans import srl_eval


class SRLEval(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        tags = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: the tags of N propositions each, one predicate each.",
            features=datasets.Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, predictions: Sequence[list[str]], references: Sequence[list[str]]) -> dict[str, float]:
        return srl_eval([of_tags(tags) for tags in references], [of_tags(tags) for tags in predictions])
