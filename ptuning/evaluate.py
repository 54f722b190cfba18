"""What trained adapters answer, and how well. Adapters of different runs and tasks share passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from ptuning.backbone import Backbone
from ptuning.budget import Budget, halving
from ptuning.lanes import Lane, Part, forward


def predict(backbone: Backbone, parts: Sequence[Part], budget: Budget) -> list[np.ndarray | Exception]:
    """Logits `[N, labels]` of each part, in the order of its rows; one frozen backbone answers them all together,
    texts of similar length at a time, whatever their task and method. Where one of a part's examples does not fit in
    memory even alone, the part's result is the exception.
    """
    modules = [backbone, *dict.fromkeys(part.adapter for part in parts)]
    training = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        return _answered(backbone, parts, budget)
    finally:
        for module, was in zip(modules, training, strict=True):
            module.train(was)


@torch.inference_mode()
def _answered(backbone: Backbone, parts: Sequence[Part], budget: Budget) -> list[np.ndarray | Exception]:
    answers = [np.zeros((len(part.rows), len(part.adapter.task.labels)), dtype=np.float32) for part in parts]
    failures: dict[int, Exception] = {}
    for chunk in _chunks(parts, budget):
        tokens = len(chunk) * int(_widths(parts, chunk).max())
        found = halving(budget, partial(_answer, backbone, parts), chunk, tokens)
        for (part, place), logits in zip(chunk, found, strict=True):
            if isinstance(logits, Exception):
                failures[part] = logits
            else:
                answers[part][place] = logits
    return [failures.get(index, answer) for index, answer in enumerate(answers)]


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


def evaluate(backbone: Backbone, lanes: Sequence[Lane], budget: Budget) -> list[dict[str, float] | Exception | None]:
    """The official metrics of each lane on its development set, in percent; None where its answers are not finite, an
    exception where they could not be had."""
    answers = predict(backbone, [lane.dev for lane in lanes], budget)
    return [_score(lane, logits) for lane, logits in zip(lanes, answers, strict=True)]


def _score(lane: Lane, logits: np.ndarray | Exception) -> dict[str, float] | Exception | None:
    if isinstance(logits, Exception):
        return logits
    if not np.isfinite(logits).all():
        return None
    try:
        return lane.task.score(lane.material.data.dev, logits)
    except Exception as error:  # one task's metric must not end the other lanes
        return error
