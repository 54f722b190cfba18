"""What trained adapters predict. Adapters of different runs and tasks share passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from ptuning.backbones.backbone import Backbone
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget, retry_in_halves
from ptuning.training.forward import forward

Position = tuple[int, int]  # a batch, and a position among its rows


def predict(backbone: Backbone, batches: Sequence[AdapterBatch], budget: Budget) -> list[list[np.ndarray] | Exception]:
    """What each batch's head predicts, an array a row in the order of its rows; one frozen backbone runs them all
    together, texts of similar length at a time, whatever their task and method. Where one of a batch's items does not
    fit in memory even alone, the batch's result is the exception.
    """
    modules = [backbone, *dict.fromkeys(batch.adapter for batch in batches)]
    training = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        return _predict_all(backbone, batches, budget)
    finally:
        for module, was in zip(modules, training, strict=True):
            module.train(was)


@torch.inference_mode()
def _predict_all(
    backbone: Backbone, batches: Sequence[AdapterBatch], budget: Budget
) -> list[list[np.ndarray] | Exception]:
    predictions = [[np.empty(0)] * len(batch.rows) for batch in batches]
    failures: dict[int, Exception] = {}
    for chunk in _chunks(batches, budget):
        found = retry_in_halves(budget, partial(_predict, backbone, batches), chunk, partial(_tokens, batches))
        for (batch, position), prediction in zip(chunk, found, strict=True):
            if isinstance(prediction, Exception):
                failures[batch] = prediction
            else:
                predictions[batch][position] = prediction
    return [failures.get(index, prediction) for index, prediction in enumerate(predictions)]


def _widths(batches: Sequence[AdapterBatch], positions: Sequence[Position]) -> np.ndarray:
    """Tokens of each item, all of its sequences padded to the longest."""
    return np.array([
        (batches[b].examples.longest[batches[b].rows[position]] + batches[b].adapter.layout.inserted)
        * batches[b].examples.choices
        for b, position in positions
    ])  # fmt: skip


def _tokens(batches: Sequence[AdapterBatch], positions: Sequence[Position]) -> int:
    """Of one pass, padding included."""
    return len(positions) * int(_widths(batches, positions).max())


def _chunks(batches: Sequence[AdapterBatch], budget: Budget) -> Iterator[list[Position]]:
    """The rows of all batches, those that enter at the same layer together and by length, about a budget at a time."""
    positions = [(b, position) for b, batch in enumerate(batches) for position in range(len(batch.rows))]
    layers = np.array([batches[b].adapter.entry_layer for b, _ in positions])
    widths = _widths(batches, positions)
    chunk: list[Position] = []
    layer = 0
    for index in np.lexsort((widths, layers)).tolist():
        full = (len(chunk) + 1) * widths[index] > budget.tokens
        if chunk and (full or layers[index] != layer):
            yield chunk
            chunk = []
        chunk.append(positions[index])
        layer = layers[index]
    if chunk:
        yield chunk


def _predict(
    backbone: Backbone, batches: Sequence[AdapterBatch], positions: Sequence[Position]
) -> list[np.ndarray | Exception]:
    """The prediction at each position, in one pass."""
    by_batch: dict[int, list[int]] = {}
    for index, (b, _) in enumerate(positions):
        by_batch.setdefault(b, []).append(index)
    parts = [
        AdapterBatch(batches[b].adapter, batches[b].examples, batches[b].rows[[positions[i][1] for i in own]])
        for b, own in by_batch.items()
    ]
    predictions: list[np.ndarray | Exception] = [np.empty(0)] * len(positions)
    with forward(backbone, parts) as outputs:
        for own, part, logits in zip(by_batch.values(), parts, outputs, strict=True):
            lengths = part.examples.longest[part.rows]
            for index, prediction in zip(own, part.adapter.head.predictions(logits, lengths), strict=True):
                predictions[index] = prediction
    return predictions
