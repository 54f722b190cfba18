"""What trained adapters predict. Adapters of different runs and tasks share passes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from ptuning.backbones.backbone import Backbone
from ptuning.heads.base import Decoding
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget, retry_in_halves
from ptuning.training.forward import forward
from ptuning.training.generate import generate

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
    with _bar(batches) as bar:
        for chunk in _chunks(batches, budget):  # which the budget cuts as it is by then
            found = retry_in_halves(budget, partial(_predict, backbone, batches), chunk, partial(_tokens, batches))
            for (batch, position), prediction in zip(chunk, found, strict=True):
                if isinstance(prediction, Exception):
                    failures[batch] = prediction
                else:
                    predictions[batch][position] = prediction
            bar.update(len(chunk))
    return [failures.get(index, prediction) for index, prediction in enumerate(predictions)]


def _bar(batches: Sequence[AdapterBatch]) -> Any:
    """A progress bar, shown where texts are generated, which takes long."""
    shown = any(batch.adapter.config.runtime.progress for batch in batches if batch.adapter.head.decoding)
    pause = 0.1 if sys.stderr.isatty() else 30  # a file has no use for a bar a chunk
    return tqdm(
        total=sum(len(batch.rows) for batch in batches), desc="generating", unit="text", leave=False,
        disable=not shown, mininterval=pause, dynamic_ncols=True,
    )  # fmt: skip


def _widths(batches: Sequence[AdapterBatch], positions: Sequence[Position]) -> np.ndarray:
    """Tokens of each item, all of its sequences padded to the longest, and those of all beams that are generated."""
    return np.array([
        _generated(batches[b].examples.longest[batches[b].rows[position]] + batches[b].adapter.layout.inserted,
                   batches[b].adapter.head.decoding)
        * batches[b].examples.choices
        for b, position in positions
    ])  # fmt: skip


def _generated(width: int, decoding: Decoding | None) -> int:
    """The tokens of a sequence and what is generated of it."""
    return width if decoding is None else (width + decoding.most) * decoding.beams


def _tokens(batches: Sequence[AdapterBatch], positions: Sequence[Position]) -> int:
    """Of one pass, padding included."""
    return len(positions) * int(_widths(batches, positions).max())


def _chunks(batches: Sequence[AdapterBatch], budget: Budget) -> Iterator[list[Position]]:
    """The rows of all batches, those that enter at the same layer and are decoded alike together and by length, about
    a budget at a time."""
    positions = [(b, position) for b, batch in enumerate(batches) for position in range(len(batch.rows))]
    decodings = list(dict.fromkeys(batch.adapter.head.decoding for batch in batches))
    kinds = [(decodings.index(batch.adapter.head.decoding), batch.adapter.entry_layer) for batch in batches]
    ranks = {kind: rank for rank, kind in enumerate(sorted(set(kinds)))}
    groups = np.array([ranks[kinds[b]] for b, _ in positions])
    widths = _widths(batches, positions)
    chunk: list[Position] = []
    group = 0
    for index in np.lexsort((widths, groups)).tolist():
        full = (len(chunk) + 1) * widths[index] > budget.tokens
        if chunk and (full or groups[index] != group):
            yield chunk
            chunk = []
        chunk.append(positions[index])
        group = groups[index]
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
    for own, found in zip(by_batch.values(), _of_parts(backbone, parts), strict=True):
        for index, prediction in zip(own, found, strict=True):
            predictions[index] = prediction
    return predictions


def _of_parts(backbone: Backbone, parts: Sequence[AdapterBatch]) -> list[list[np.ndarray]]:
    """The predictions for each part's items, in one pass, or in those of one `generate`."""
    decoding = parts[0].adapter.head.decoding
    if decoding is not None:
        return generate(backbone, parts, decoding)
    with forward(backbone, parts) as outputs:
        return [
            part.adapter.head.predictions(logits, part.examples.longest[part.rows])
            for part, logits in zip(parts, outputs, strict=True)
        ]
