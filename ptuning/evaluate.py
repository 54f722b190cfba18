"""What trained adapters answer, and how well. Adapters of different runs and tasks share passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ptuning.backbone import Backbone
from ptuning.budget import Budget, halving
from ptuning.lanes import Lane, Part, forward


def predict(backbone: Backbone, parts: Sequence[Part], budget: Budget) -> list[np.ndarray]:
    """Logits `[N, labels]` of each part, in the order of its rows; one frozen backbone answers them all together,
    texts of similar length at a time, whatever their task and method.

    Raises torch.OutOfMemoryError where a single example does not fit.
    """
    modules = [backbone, *dict.fromkeys(part.adapter for part in parts)]
    training = [module.training for module in modules]
    for module in modules:
        module.eval()
    answers = [
        np.zeros((len(part.rows), len(part.adapter.task.labels)), dtype=np.float32) for part in parts
    ]  # fmt: skip
    with torch.inference_mode():
        for chunk in _chunks(parts, budget):
            tokens = len(chunk) * int(_widths(parts, chunk).max())
            found = halving(budget, lambda places: _answer(backbone, parts, places), chunk, tokens)
            for (part, place), logits in zip(chunk, found, strict=True):
                if isinstance(logits, Exception):
                    raise logits
                answers[part][place] = logits
    for module, was in zip(modules, training, strict=True):
        module.train(was)
    return answers


Place = tuple[int, int]  # a part, and a place among its rows


def _widths(parts: Sequence[Part], places: Sequence[Place]) -> np.ndarray:
    """Tokens of each example, all of its sequences padded to the longest."""
    return np.array([
        (parts[part].examples.longest[parts[part].rows[place]] + parts[part].adapter.layout.inserted)
        * parts[part].examples.choices
        for part, place in places
    ])  # fmt: skip


def _chunks(parts: Sequence[Part], budget: Budget) -> Iterator[list[Place]]:
    """The rows of all parts, those that enter at the same layer together and by length, about a budget at a time."""
    places = [(part, place) for part, one in enumerate(parts) for place in range(len(one.rows))]
    starts = np.array([parts[part].adapter.method.first_layer for part, _ in places])
    widths = _widths(parts, places)
    chunk: list[Place] = []
    start = 0
    for index in np.lexsort((widths, starts)).tolist():
        full = (len(chunk) + 1) * widths[index] > budget.tokens
        if chunk and (full or starts[index] != start):
            yield chunk
            chunk = []
        chunk.append(places[index])
        start = starts[index]
    if chunk:
        yield chunk


def _answer(backbone: Backbone, parts: Sequence[Part], places: Sequence[Place]) -> list[np.ndarray | Exception]:
    """The logits of each place, in one pass."""
    rows: dict[int, list[int]] = {}
    for index, (part, _) in enumerate(places):
        rows.setdefault(part, []).append(index)
    asked = [
        Part(parts[part].adapter, parts[part].examples, parts[part].rows[[places[i][1] for i in mine]])
        for part, mine in rows.items()
    ]
    answers: list[np.ndarray | Exception] = [np.empty(0)] * len(places)
    for mine, logits in zip(rows.values(), forward(backbone, asked), strict=True):
        for index, answer in zip(mine, logits.float().cpu().numpy(), strict=True):
            answers[index] = answer
    return answers


def evaluate(backbone: Backbone, lanes: Sequence[Lane], budget: Budget) -> list[dict[str, float] | None]:
    """The official metrics of each lane on its development set, in percent; None where its answers are not finite."""
    return [
        lane.task.score(lane.material.data.dev, logits) if np.isfinite(logits).all() else None
        for lane, logits in zip(lanes, predict(backbone, [lane.dev for lane in lanes], budget), strict=True)
    ]
