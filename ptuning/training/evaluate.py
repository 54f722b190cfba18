"""How well lanes do: official metrics on the development set and the test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

import numpy as np

from ptuning.backbones.backbone import Backbone
from ptuning.training import epoch_selection
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.lanes import MEAN, Lane, LaneTask
from ptuning.training.predictions import predict

Scores = dict[str, float]


class SplitScores(NamedTuple):
    """The official metrics of a split in percent; where the metric is a share of examples, which are answered
    correctly: a digit an example, 1 or 0; the answer that is given to all, where it is one; and the texts that were
    generated, one an example."""

    scores: Scores
    correct: str
    constant: str | None = None
    texts: list[str] | None = None


@dataclass(frozen=True)
class Evaluation:
    """How well a lane does on the development set, and on each test set where the epoch calls for it."""

    dev: SplitScores
    tests: dict[str, Scores]
    texts: dict[str, list[str]] = field(default_factory=dict)  # that were generated, by split


def evaluate(backbone: Backbone, lanes: Sequence[Lane], budget: Budget) -> list[Evaluation | Exception | None]:
    """How well each lane does now; None where its logits are not finite, an exception where they could not be had.

    Test sets are used only in epochs that the lane's selection rule would choose if training ended there, as in the
    authors' code: under `last` in all of them.
    """
    by_task = iter(_score_all(backbone, [(lane_task, "dev") for lane in lanes for lane_task in lane.tasks], budget))
    dev = [_combine(lane, [next(by_task) for _ in lane.tasks]) for lane in lanes]
    test_sets = [
        lane.test_sets if isinstance(found, SplitScores) and _would_choose(lane, found.scores) else []
        for lane, found in zip(lanes, dev, strict=True)
    ]
    wanted = [(lane.tasks[0], name) for lane, names in zip(lanes, test_sets, strict=True) for name in names]
    by_set = iter(_score_all(backbone, wanted, budget))
    return [
        _evaluation(found, {name: next(by_set) for name in names}) for found, names in zip(dev, test_sets, strict=True)
    ]


def _would_choose(lane: Lane, dev: Scores) -> bool:
    return epoch_selection.rule(lane.config.selection)([*lane.scores, dev[lane.metric]]) == len(lane.history)


def _combine(lane: Lane, found: Sequence[SplitScores | Exception | None]) -> SplitScores | Exception | None:
    """A lane's dev scores: of a mixture those of its sets, by their names, and their mean."""
    if len(found) == 1:
        return found[0]
    named: Scores = {}
    for lane_task, one in zip(lane.tasks, found, strict=True):
        if not isinstance(one, SplitScores):
            return one
        named |= {f"{lane_task.name}_{key}": value for key, value in one.scores.items()}
    metrics = [f"{lane_task.name}_{lane_task.dataset.task.metric}" for lane_task in lane.tasks]
    return SplitScores(named | {MEAN: fmean(named[metric] for metric in metrics)}, "")


def _evaluation(
    dev: SplitScores | Exception | None, tests: Mapping[str, SplitScores | Exception | None]
) -> Evaluation | Exception | None:
    if not isinstance(dev, SplitScores):
        return dev
    for one in tests.values():
        if not isinstance(one, SplitScores):
            return one
    found = {name: one for name, one in tests.items() if isinstance(one, SplitScores)}
    texts = {name: one.texts for name, one in {"dev": dev, **found}.items() if one.texts is not None}
    return Evaluation(dev, {name: one.scores for name, one in found.items()}, texts)


def _score_all(
    backbone: Backbone, wanted: Sequence[tuple[LaneTask, str]], budget: Budget
) -> list[SplitScores | Exception | None]:
    batches = [lane_task.batch(split) for lane_task, split in wanted]
    predictions = predict(backbone, batches, budget)
    return [
        _score(lane_task, split, batch, found)
        for (lane_task, split), batch, found in zip(wanted, batches, predictions, strict=True)
    ]


def _score(
    lane_task: LaneTask, split: str, batch: AdapterBatch, found: list[np.ndarray] | Exception
) -> SplitScores | Exception | None:
    if isinstance(found, Exception):
        return found
    if not all(np.isfinite(one).all() for one in found):
        return None
    task, examples = lane_task.dataset.task, lane_task.dataset.data.examples(split)
    try:
        answers = lane_task.adapter.collect(examples, batch.examples, found)
        correct = "".join(map(str, task.is_correct(examples, answers)))
        texts = lane_task.adapter.texts(found)
        scores = task.score(examples, answers) | lane_task.adapter.unread(examples, texts)
        return SplitScores(scores, correct, task.constant_answer(examples, answers), texts)
    except Exception as error:  # one task's metric must not end the other lanes
        return error
