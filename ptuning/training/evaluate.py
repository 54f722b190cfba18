"""What trained adapters answer, and how well. Adapters of different runs and tasks share passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch

from ptuning.backbones.backbone import Backbone
from ptuning.training import epoch_selection
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget, retry_in_halves
from ptuning.training.datasets import collect
from ptuning.training.forward import forward
from ptuning.training.lanes import MEAN, Lane, LaneTask


def predict(backbone: Backbone, parts: Sequence[AdapterBatch], budget: Budget) -> list[list[np.ndarray] | Exception]:
    """What each part's head answers, an array a row in the order of its rows; one frozen backbone answers them all
    together, texts of similar length at a time, whatever their task and method. Where one of a part's items does not
    fit in memory even alone, the part's result is the exception.
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
def _answered(backbone: Backbone, parts: Sequence[AdapterBatch], budget: Budget) -> list[list[np.ndarray] | Exception]:
    answers = [[np.empty(0)] * len(part.rows) for part in parts]
    failures: dict[int, Exception] = {}
    for chunk in _chunks(parts, budget):
        tokens = len(chunk) * int(_widths(parts, chunk).max())
        found = retry_in_halves(budget, partial(_answer, backbone, parts), chunk, tokens)
        for (part, place), answer in zip(chunk, found, strict=True):
            if isinstance(answer, Exception):
                failures[part] = answer
            else:
                answers[part][place] = answer
    return [failures.get(index, answer) for index, answer in enumerate(answers)]


Place = tuple[int, int]  # a part, and a place among its rows


def _widths(parts: Sequence[AdapterBatch], places: Sequence[Place]) -> np.ndarray:
    """Tokens of each example, all of its sequences padded to the longest."""
    return np.array([
        (parts[part].examples.longest[parts[part].rows[place]] + parts[part].adapter.layout.inserted)
        * parts[part].examples.choices
        for part, place in places
    ])  # fmt: skip


def _chunks(parts: Sequence[AdapterBatch], budget: Budget) -> Iterator[list[Place]]:
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


def _answer(
    backbone: Backbone, parts: Sequence[AdapterBatch], places: Sequence[Place]
) -> list[np.ndarray | Exception]:
    """What is answered at each place, in one pass."""
    rows: dict[int, list[int]] = {}
    for index, (part, _) in enumerate(places):
        rows.setdefault(part, []).append(index)
    asked = [
        AdapterBatch(parts[part].adapter, parts[part].examples, parts[part].rows[[places[i][1] for i in mine]])
        for part, mine in rows.items()
    ]
    answers: list[np.ndarray | Exception] = [np.empty(0)] * len(places)
    with forward(backbone, asked) as outputs:
        for mine, own, logits in zip(rows.values(), asked, outputs, strict=True):
            lengths = own.examples.longest[own.rows]
            for index, answer in zip(mine, own.adapter.head.answers(logits, lengths), strict=True):
                answers[index] = answer
    return answers


Scores = dict[str, float]


class Scored(NamedTuple):
    """The official metrics of a split in percent; and, where the metric is a share of examples, which are answered
    rightly: a digit an example, 1 or 0."""

    scores: Scores
    right: str


@dataclass(frozen=True)
class Evaluation:
    """How well a lane does on the development set, and on each test set where the epoch calls for it."""

    dev: Scored
    tests: dict[str, Scores]


def evaluate(backbone: Backbone, lanes: Sequence[Lane], budget: Budget) -> list[Evaluation | Exception | None]:
    """How well each lane does now; None where its answers are not finite, an exception where they could not be had.

    Test sets are asked only in epochs that the lane's selection rule would choose if training ended there, as in the
    authors' code: under `last` in all of them.
    """
    devs = iter(_scores(backbone, [(member, "dev") for lane in lanes for member in lane.members], budget))
    found = [_together(lane, [next(devs) for _ in lane.members]) for lane in lanes]
    chosen = [isinstance(dev, Scored) and _chooses(lane, dev.scores) for lane, dev in zip(lanes, found, strict=True)]
    asked = [lane.test_sets if now else [] for lane, now in zip(lanes, chosen, strict=True)]
    parts = [(lane.members[0], name) for lane, names in zip(lanes, asked, strict=True) for name in names]
    tests = iter(_scores(backbone, parts, budget))
    return [_evaluation(dev, {name: next(tests) for name in names}) for dev, names in zip(found, asked, strict=True)]


def _chooses(lane: Lane, dev: Scores) -> bool:
    return epoch_selection.rule(lane.config.selection)([*lane.scores, dev[lane.metric]]) == len(lane.history)


def _together(lane: Lane, scored: Sequence[Scored | Exception | None]) -> Scored | Exception | None:
    """A lane's scores: of a mixture those of its sets, by their names, and their mean."""
    if len(scored) == 1:
        return scored[0]
    named: Scores = {}
    for member, one in zip(lane.members, scored, strict=True):
        if not isinstance(one, Scored):
            return one
        named |= {f"{member.name}_{key}": value for key, value in one.scores.items()}
    metrics = [f"{member.name}_{member.material.task.metric}" for member in lane.members]
    return Scored(named | {MEAN: fmean(named[metric] for metric in metrics)}, "")


def _evaluation(
    dev: Scored | Exception | None, tests: Mapping[str, Scored | Exception | None]
) -> Evaluation | Exception | None:
    if not isinstance(dev, Scored):
        return dev
    for one in tests.values():
        if not isinstance(one, Scored):
            return one
    return Evaluation(dev, {name: one.scores for name, one in tests.items() if isinstance(one, Scored)})


def _scores(
    backbone: Backbone, asked: Sequence[tuple[LaneTask, str]], budget: Budget
) -> list[Scored | Exception | None]:
    parts = [member.part(split) for member, split in asked]
    answers = predict(backbone, parts, budget)
    return [
        _score(member, split, part, found) for (member, split), part, found in zip(asked, parts, answers, strict=True)
    ]


def _score(
    member: LaneTask, split: str, part: AdapterBatch, found: list[np.ndarray] | Exception
) -> Scored | Exception | None:
    if isinstance(found, Exception):
        return found
    if not all(np.isfinite(one).all() for one in found):
        return None
    task, examples = member.material.task, member.material.data.examples(split)
    try:
        answers = collect(task, examples, part.examples, found)
        return Scored(task.score(examples, answers), "".join(map(str, task.is_correct(examples, answers))))
    except Exception as error:  # one task's metric must not end the other lanes
        return error
