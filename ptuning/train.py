"""The one training loop: a list of lanes that share a backbone. A single run is a list of one."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ptuning.backbone import Backbone
from ptuning.evaluate import evaluate
from ptuning.lanes import Epoch, Lane, Prepared, forward
from ptuning.select import improved_within


class Watcher(Protocol):
    """Told of each lane's progress."""

    def epoch_ended(self, lane: Lane, epoch: Epoch) -> None: ...

    def lane_ended(self, lane: Lane) -> None: ...


def train(backbone: Backbone, lanes: Sequence[Lane], watcher: Watcher, progress: bool = True) -> None:
    """Train all `lanes` to their end: all epochs done, stopped early, or diverged (`lane.status` says which)."""
    torch.manual_seed(lanes[0].config.seed)  # the backbone's own dropout; everything else has the lane's streams
    backbone.train()
    for lane in lanes:
        lane.adapter.train()
    total = sum(lane.steps_per_epoch * lane.config.train.epochs for lane in lanes)
    with tqdm(total=total, unit="step", disable=not progress, dynamic_ncols=True) as bar:
        courses = [_Course(backbone, lane, watcher) for lane in lanes]
        while courses := [course for course in courses if course.lane.status == "running"]:
            losses = step(backbone, [(course.lane, course.batch) for course in courses])
            for course, loss in zip(courses, losses, strict=True):
                course.advance(loss)
            bar.update(len(courses))
            bar.set_description_str(_line(courses), refresh=False)


def step(backbone: Backbone, parts: Sequence[tuple[Lane, Sequence[Prepared]]]) -> list[Tensor]:
    """One update of every lane on its own examples, in one pass through the backbone; the losses, detached."""
    logits = forward(backbone, [(lane.adapter, examples) for lane, examples in parts])
    losses = []
    for (lane, examples), answer in zip(parts, logits, strict=True):
        labels = torch.tensor([example.label for example in examples]).to(answer.device, non_blocking=True)
        losses.append(lane.adapter.head.loss(answer, labels))
    scaled = [lane.scaler.scale(loss) for (lane, _), loss in zip(parts, losses, strict=True)]
    torch.stack(scaled).sum().backward()
    for lane, _ in parts:
        lane.step()
    return [loss.detach() for loss in losses]


class _Course:
    """A lane's way through its epochs: the next batch, and what is to be done when an epoch ends."""

    def __init__(self, backbone: Backbone, lane: Lane, watcher: Watcher) -> None:
        self.backbone, self.lane, self.watcher = backbone, lane, watcher
        self._begin()

    def _begin(self) -> None:
        self.waiting: Iterator[list[Prepared]] = self.lane.batches()
        self.batch = next(self.waiting)
        self.losses: list[Tensor] = []
        self.since = time.perf_counter()

    def advance(self, loss: Tensor) -> None:
        """Take note of a step's loss and move to the next batch, or end the epoch."""
        self.losses.append(loss)
        following = next(self.waiting, None)
        if following is not None:
            self.batch = following
            return
        self._end_epoch()
        if self.lane.status == "running":
            self._begin()
        else:
            self.watcher.lane_ended(self.lane)

    def _end_epoch(self) -> None:
        lane = self.lane
        mean = float(torch.stack(self.losses).mean())
        seconds = time.perf_counter() - self.since
        began = time.perf_counter()
        dev = evaluate(self.backbone, lane) if math.isfinite(mean) else None
        if dev is None:
            lane.status = "diverged"
            return
        epoch = Epoch(lane.epoch, mean, dev, seconds, time.perf_counter() - began)
        lane.history.append(epoch)
        self.watcher.epoch_ended(lane, epoch)
        scores = [entry.dev[lane.task.metric] for entry in lane.history]
        patience = lane.config.train.patience
        if patience is not None and not improved_within(scores, patience):
            lane.status = "stopped_early"
        elif len(lane.history) == lane.config.train.epochs:
            lane.status = "finished"


def _line(courses: Sequence[_Course]) -> str:
    lane = courses[0].lane
    name = f"{lane.task.name} {lane.config.method}"
    if len(courses) > 1:
        name = f"{len(courses)} lanes"
    done = lane.history[-1].dev[lane.task.metric] if lane.history else None
    return f"{name} epoch {min(lane.epoch, lane.config.train.epochs)}" + ("" if done is None else f" dev {done:.1f}")
