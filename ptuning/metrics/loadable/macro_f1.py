"""The mean over all classes of each one's F1, in percent (CB in SuperGLUE; Wang et al., 2019, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import datasets
import evaluate

from ptuning.metrics.classification import macro_f1


class MacroF1(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        label = datasets.Value("int32")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: N labels each, from 0; classes: how many labels there are.",
            features=datasets.Features({"predictions": label, "references": label}),
        )

    def _compute(self, predictions: Sequence[int], references: Sequence[int], classes: int) -> dict[str, float]:
        return {"f1_macro": macro_f1(references, predictions, classes)}
