"""The one training loop: lanes that share a backbone. A single run is one lane."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ptuning.backbones.backbone import Backbone
from ptuning.errors import InputError
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget, device_lost, out_of_memory, retry_in_halves
from ptuning.training.epoch_selection import improved_within
from ptuning.training.evaluate import evaluate
from ptuning.training.forward import forward
from ptuning.training.lanes import Epoch, Lane


class Callback(Protocol):
    """Told of each lane's progress."""

    def lane_began(self, lane: Lane) -> None: ...

    def epoch_ended(self, lane: Lane, epoch: Epoch) -> None: ...

    def lane_ended(self, lane: Lane) -> None: ...

    def lane_failed(self, lane: Lane, error: Exception) -> None: ...


def train(backbone: Backbone, lanes: Iterable[Lane], watcher: Callback, budget: Budget, progress: bool = True) -> None:
    """Train `lanes` to their end: all epochs done, stopped early, or diverged (`lane.status` says which), or failed.

    As many are taken from `lanes` as fit the budget; when one ends, the next takes its place.
    """
    waiting = iter(lanes)
    backbone.train()
    courses = _admitted(backbone, [], waiting, watcher, budget)
    if not courses:
        return
    with tqdm(unit="step", total=_total_steps(courses), disable=not progress, dynamic_ncols=True) as bar:
        while courses:
            running = _advanced(backbone, courses, watcher, budget)
            bar.update(len(running))
            _end_epochs(backbone, [course for course in running if course.batch is None], watcher, budget)
            left = [course for course in running if course.lane.status == "running"]
            bar.set_description_str(_line(left or courses), refresh=False)
            if len(left) < len(courses):  # there is room again
                before, left = left, _admitted(backbone, left, waiting, watcher, budget)
                bar.total = (bar.total or 0) + _total_steps(left) - _total_steps(before)
            courses = left


class _LaneProgress:
    """A lane's way through its epochs. `batch` is the next one, None when the epoch's batches are through."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.begin()

    def begin(self) -> None:
        self.waiting: Iterator[AdapterBatch] = self.lane.batches()
        self.batch: AdapterBatch | None = next(self.waiting)
        self.losses: list[Tensor] = []
        self.since = time.perf_counter()

    def note(self, loss: Tensor) -> None:
        """Take a step's loss and move to the next batch."""
        self.losses.append(loss)
        self.batch = next(self.waiting, None)

    @property
    def part(self) -> AdapterBatch:
        assert self.batch is not None
        return self.batch


def _admitted(
    backbone: Backbone, courses: list[_LaneProgress], waiting: Iterator[Lane], watcher: Callback, budget: Budget
) -> list[_LaneProgress]:
    """`courses` and as many new ones as there is room for; an ongoing lane's size stands for the next one's."""
    while not courses or _tokens(courses) + courses[-1].lane.tokens_per_step <= budget.tokens:
        lane = next(waiting, None)
        if lane is None:
            break
        if not courses:
            torch.manual_seed(lane.config.seed)  # the backbone's own dropout; all else has the lane's own streams
        for member in lane.members:
            member.adapter.train()
        watcher.lane_began(lane)
        courses = [*courses, _LaneProgress(lane)]
    if backbone.hidden_cache is not None:
        backbone.hidden_cache.hold(key for course in courses for key in course.lane.hidden_cache_keys)
    return courses


def _total_steps(courses: Sequence[_LaneProgress]) -> int:
    """Steps that the lanes take from their beginning to their end, where they do not stop early."""
    return sum(course.lane.steps_per_epoch * course.lane.config.train.epochs for course in courses)


def _tokens(courses: Sequence[_LaneProgress]) -> float:
    return sum(course.lane.tokens_per_step for course in courses)


def _advanced(
    backbone: Backbone, courses: Sequence[_LaneProgress], watcher: Callback, budget: Budget
) -> list[_LaneProgress]:
    """One step of every course, in as few passes as the budget allows; the courses that did not fail."""
    parts = [course.part for course in courses]

    def stepped(some: Sequence[_LaneProgress]) -> list[Tensor | Exception]:
        return step(backbone, [(course.lane, course.part) for course in some])

    for group in budget.passes(parts):
        members = [courses[index] for index in group]
        tokens = max(course.part.width for course in members) * sum(len(c.part.sequences) for c in members)
        for course, loss in zip(members, retry_in_halves(budget, stepped, members, tokens), strict=True):
            if isinstance(loss, Exception):
                _fail(course.lane, loss, watcher)
            else:
                course.note(loss)
    return [course for course in courses if course.lane.status == "running"]


def step(backbone: Backbone, parts: Sequence[tuple[Lane, AdapterBatch]], passes: int = 1) -> list[Tensor | Exception]:
    """One update of every lane on its own batch, which is cut into so many passes through the backbone; the losses,
    detached, and an exception in the place of a lane's loss where its own update failed.

    After an error that is raised nothing has changed: no weight and no gradient.
    """
    try:
        losses = _gradients(backbone, parts, passes)
    except Exception:
        for lane, _ in parts:
            lane.optimizer.zero_grad(set_to_none=True)
        raise
    return [_updated(lane, loss) for (lane, _), loss in zip(parts, losses, strict=True)]


def _updated(lane: Lane, loss: Tensor) -> Tensor | Exception:
    try:
        lane.step()
    except Exception as error:  # half an update cannot be tried again
        if device_lost(error):
            raise
        lane.optimizer.zero_grad(set_to_none=True)
        return error.with_traceback(None)
    return loss


def _gradients(backbone: Backbone, parts: Sequence[tuple[Lane, AdapterBatch]], passes: int) -> list[Tensor]:
    """Add each lane's gradients up over the passes, and return its losses."""
    weights = [part.adapter.head.weight(part.targets) for _, part in parts]
    pieces = [part.cut(passes) for _, part in parts]
    losses: list[list[Tensor]] = [[] for _ in parts]
    for index in range(max(map(len, pieces))):
        here = [lane for lane, own in enumerate(pieces) if index < len(own)]
        with forward(backbone, [pieces[lane][index] for lane in here]) as logits:
            scaled = []
            for lane, answer in zip(here, logits, strict=True):
                piece = pieces[lane][index]
                targets = piece.targets.to(answer.device, non_blocking=True)
                loss = piece.adapter.head.loss(answer, targets) / weights[lane]
                scaled.append(parts[lane][0].scaler.scale(loss))
                losses[lane].append(loss.detach())
            torch.stack(scaled).sum().backward()
    return [own[0] if len(own) == 1 else torch.stack(own).sum() for own in losses]


def _end_epochs(backbone: Backbone, courses: Sequence[_LaneProgress], watcher: Callback, budget: Budget) -> None:
    """Evaluate the lanes whose epoch is over, together, and end them or let them begin the next."""
    if not courses:
        return
    means = torch.stack([torch.stack(course.losses).mean() for course in courses]).tolist()
    now = time.perf_counter()
    sound = [course for course, mean in zip(courses, means, strict=True) if math.isfinite(mean)]
    evaluations = evaluate(backbone, [course.lane for course in sound], budget)
    found = dict(zip(map(id, sound), evaluations, strict=True))
    seconds = (time.perf_counter() - now) / max(1, len(sound))
    for course, mean in zip(courses, means, strict=True):
        lane, evaluation = course.lane, found.get(id(course))
        if isinstance(evaluation, Exception):
            _fail(lane, evaluation, watcher)
            continue
        if evaluation is None:
            lane.status = "diverged"
        else:
            dev, right = evaluation.dev
            epoch = Epoch(lane.epoch, mean, dev, now - course.since, seconds, evaluation.tests, right)
            lane.history.append(epoch)
            watcher.epoch_ended(lane, epoch)
            lane.status = _status(lane)
        if lane.status == "running":
            course.begin()
        else:
            watcher.lane_ended(lane)


def _status(lane: Lane) -> str:
    patience = lane.config.train.patience
    if patience is not None and not improved_within(lane.scores, patience):
        return "stopped_early"
    return "finished" if len(lane.history) == lane.config.train.epochs else "running"


def _fail(lane: Lane, error: Exception, watcher: Callback) -> None:
    lane.status = "failed"
    if out_of_memory(error):
        error = InputError(
            f"train.batch_size={lane.config.train.batch_size} does not fit in memory even alone: make it smaller, "
            "shorten task.max_length or prompt.length, or set runtime.gradient_checkpointing=true."
        )
    watcher.lane_failed(lane, error)


def _line(courses: Sequence[_LaneProgress]) -> str:
    lane = courses[0].lane
    if len(courses) > 1:
        return f"{len(courses)} lanes"
    done = f" dev {lane.scores[-1]:.1f}" if lane.history else ""
    return f"{lane.config.task.name} {lane.config.method} epoch {min(lane.epoch, lane.config.train.epochs)}{done}"
