"""What `evaluate` is told of the metrics of generated texts (`ptuning.metrics.loadable`), all of the same."""

from __future__ import annotations

import datasets
import evaluate


def of_texts(description: str | None) -> evaluate.MetricInfo:
    """A text each to be scored, and one or more that would do."""
    text = datasets.Value("string")
    return evaluate.MetricInfo(
        description=description,
        citation="",
        inputs_description="predictions: N texts; references: the texts that would do, one or more each.",
        features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
    )
