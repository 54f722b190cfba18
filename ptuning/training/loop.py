"""The one training loop: lanes that share a backbone. A single run is one lane."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ptuning.backbones.backbone import Backbone
from ptuning.errors import InputError
from ptuning.training import passes
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget, device_lost, give_back_memory, out_of_memory, retry_in_halves
from ptuning.training.epoch_selection import stopped_after
from ptuning.training.evaluate import Evaluation, evaluate
from ptuning.training.forward import forward
from ptuning.training.lanes import HistoryLine, Lane

NextLane = Callable[[], Lane | None]  # None: there is none now, though there may be one later


def train(backbone: Backbone, next_lane: NextLane, budget: Budget, progress: bool = True) -> Iterator[Lane]:
    """Train the lanes that `next_lane` gives to their end, and yield each whenever it has been evaluated, and when it
    fails; `lane.status` says whether it goes on (`running`) or has `finished`, `stopped_early`, `diverged` or
    `failed`.

    As many are taken as fit the budget; when one ends, the next takes its place.
    """
    backbone.train()
    running = _admit(backbone, [], next_lane, budget)
    if not running:
        return
    total, pause = _total_steps(running), 0.1 if sys.stderr.isatty() else 30  # a file has no use for a bar a step
    with tqdm(unit="step", total=total, disable=not progress, dynamic_ncols=True, mininterval=pause) as bar:
        while running:
            waiting = [one for one in running if one.batch is not None]
            failed = _advance(backbone, waiting, budget) if waiting else []
            yield from failed
            bar.update(len(waiting) - len(failed))
            going = [one for one in running if one.lane.status == "running"]
            yield from _evaluate(backbone, [one for one in going if one.batch is None], budget)
            left = [one for one in going if one.lane.status == "running"]
            bar.set_description_str(_description([one.lane for one in left or running]), refresh=False)
            if len(left) < len(running):  # there is room again
                before, left = left, _admit(backbone, left, next_lane, budget)
                bar.total = (bar.total or 0) + _total_steps(left) - _total_steps(before)
            running = left


class LaneProgress:
    """A lane's way from one evaluation to the next. `batch` is the next one, None when the lane is to be evaluated."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.divided = False  # whether its batches are cut whatever their batching: once one did not fit in memory
        self.batches: Iterator[AdapterBatch] = iter(())
        self.has_dropout = False  # whether that of the next batch is drawn
        self.go_on()

    def go_on(self) -> None:
        """Begin what leads to the next evaluation."""
        self.batch: AdapterBatch | None = None if self.lane.has_ended else self._next_batch()
        self.losses: list[Tensor] = []
        self.since = time.perf_counter()

    def end_step(self, loss: Tensor) -> None:
        """Take a step's loss and move to the next batch."""
        self.losses.append(loss)
        self.lane.items_done += len(self.current_batch.rows)
        self.batch = None if self.lane.is_due else self._next_batch()

    def draw_dropout(self) -> None:
        """Once a step, however often the step is tried."""
        if not self.has_dropout:
            self.batch, self.has_dropout = self.current_batch.with_dropout(self.lane.steps_done), True

    def divide(self) -> None:
        """Let its batches be cut, this one and all that follow."""
        self.batch, self.divided = replace(self.current_batch, divisible=True), True

    def _next_batch(self) -> AdapterBatch:
        self.has_dropout = False
        batch = next(self.batches, None)
        if batch is None:  # the epoch's batches are through
            self.batches = self.lane.batches()
            batch = next(self.batches)
        return replace(batch, divisible=True) if self.divided else batch

    @property
    def current_batch(self) -> AdapterBatch:
        assert self.batch is not None
        return self.batch


def _admit(backbone: Backbone, running: list[LaneProgress], next_lane: NextLane, budget: Budget) -> list[LaneProgress]:
    """`running` and as many new ones as there is room for; a running lane's size stands for the next one's."""
    while not running or _tokens(running) + running[-1].lane.tokens_per_step <= budget.tokens:
        lane = next_lane()
        if lane is None:
            break
        if not running:
            torch.manual_seed(lane.config.seed)  # the backbone's own dropout; all else has the lane's own streams
        for lane_task in lane.tasks:
            lane_task.adapter.train()
        lane.since = time.perf_counter()
        running = [*running, LaneProgress(lane)]
        for one in running:
            one.lane.most_lanes = max(one.lane.most_lanes, len(running))
    if backbone.hidden_cache is not None:
        backbone.hidden_cache.hold(key for one in running for key in one.lane.hidden_cache_keys)
    return running


def _total_steps(running: Sequence[LaneProgress]) -> int:
    """Steps that the lanes take from their beginning to their end, where they do not stop early."""
    return sum(one.lane.steps for one in running)


def _tokens(running: Sequence[LaneProgress]) -> float:
    return sum(one.lane.tokens_per_step for one in running)


def _advance(backbone: Backbone, running: Sequence[LaneProgress], budget: Budget) -> list[Lane]:
    """One step of every lane, in as few passes as the budget allows; the lanes that failed."""
    failed: list[Lane] = []
    step_lanes = partial(_step_lanes, backbone, budget)
    for one, loss in zip(
        running, retry_in_halves(budget, step_lanes, running, partial(_largest_pass, budget)), strict=True
    ):
        if isinstance(loss, Exception):
            failed.append(_fail(one.lane, loss))
        else:
            one.end_step(loss)
    return failed


def _largest_pass(budget: Budget, some: Sequence[LaneProgress]) -> int:
    """The tokens of the largest pass of a step."""
    batches = [one.current_batch for one in some]
    return passes.largest(batches, passes.plan(batches, budget))


def _step_lanes(backbone: Backbone, budget: Budget, some: Sequence[LaneProgress]) -> list[Tensor | Exception]:
    try:
        return _try_step(backbone, budget, some)
    except Exception as error:
        if len(some) > 1 or not out_of_memory(error):
            raise
    return _step_in_smaller_passes(backbone, budget, some[0])


def _step_in_smaller_passes(backbone: Backbone, budget: Budget, one: LaneProgress) -> list[Tensor | Exception]:
    """The step of a lane that does not fit in memory even alone, in passes half as large until it does, and so from
    now on. Raises the error where one item does not fit."""
    while True:
        budget.shrink(_largest_pass(budget, [one]))
        give_back_memory()
        one.divide()
        try:
            return _try_step(backbone, budget, [one])
        except Exception as error:
            smallest = len(passes.plan([one.current_batch], budget)) == len(one.current_batch.rows)
            if smallest or not out_of_memory(error):
                raise


def _try_step(backbone: Backbone, budget: Budget, some: Sequence[LaneProgress]) -> list[Tensor | Exception]:
    for one in some:
        one.draw_dropout()
    return step(backbone, [(one.lane, one.current_batch) for one in some], budget)


def step(backbone: Backbone, batches: Sequence[tuple[Lane, AdapterBatch]], budget: Budget) -> list[Tensor | Exception]:
    """One update of every lane on its own batch, all of them in the passes that the budget allows; the losses,
    detached, and an exception in the place of a lane's loss where its own update failed.

    After an error that is raised nothing has changed: no weight and no gradient.
    """
    try:
        losses = _gradients(backbone, batches, passes.plan([batch for _, batch in batches], budget))
    except Exception:
        for lane, _ in batches:
            lane.optimizer.zero_grad(set_to_none=True)
        raise
    return [_updated(lane, loss) for (lane, _), loss in zip(batches, losses, strict=True)]


def _updated(lane: Lane, loss: Tensor) -> Tensor | Exception:
    try:
        lane.step()
    except Exception as error:  # half an update cannot be tried again
        if device_lost(error):
            raise
        lane.optimizer.zero_grad(set_to_none=True)
        return error.with_traceback(None)
    return loss


def _gradients(
    backbone: Backbone, batches: Sequence[tuple[Lane, AdapterBatch]], planned: Sequence[passes.Pass]
) -> list[Tensor]:
    """Add each lane's gradients up over the passes, and return its losses."""
    weights = [batch.adapter.head.weight(batch.targets) for _, batch in batches]
    losses: list[list[Tensor]] = [[] for _ in batches]
    for one in planned:
        parts = [batches[place.batch][1].part(place.begin, place.end) for place in one]
        with forward(backbone, parts) as logits:
            scaled = []
            for place, part, own in zip(one, parts, logits, strict=True):
                targets = part.targets.to(own.device, non_blocking=True)
                loss = part.adapter.head.loss(own, targets) / weights[place.batch]
                scaled.append(batches[place.batch][0].scaler.scale(loss))
                losses[place.batch].append(loss.detach())
            torch.stack(scaled).sum().backward()
    return [own[0] if len(own) == 1 else torch.stack(own).sum() for own in losses]


def _evaluate(backbone: Backbone, ended: Sequence[LaneProgress], budget: Budget) -> Iterator[Lane]:
    """Evaluate the lanes that are due, together; yield each when it is clear whether it goes on."""
    if not ended:
        return
    means = _mean_losses(ended)
    now = time.perf_counter()
    finite = [index for index, mean in enumerate(means) if mean is None or math.isfinite(mean)]
    evaluations = dict(zip(finite, evaluate(backbone, [ended[index].lane for index in finite], budget), strict=True))
    dev_seconds = (time.perf_counter() - now) / max(1, len(finite))
    for index, (one, mean) in enumerate(zip(ended, means, strict=True)):
        evaluation = evaluations.get(index)
        if isinstance(evaluation, Exception):
            yield _fail(one.lane, evaluation)
            continue
        if evaluation is not None:
            line = _history_line(one.lane, mean, evaluation, now - one.since, dev_seconds)
            one.lane.evaluated(line, evaluation.texts)
        one.lane.status = _status(one.lane) if evaluation is not None else "diverged"
        yield one.lane
        if one.lane.status == "running":
            one.go_on()


def _mean_losses(ended: Sequence[LaneProgress]) -> list[float | None]:
    """Of each lane's steps since it was evaluated last; None where it took none."""
    found = [torch.stack(one.losses).mean() for one in ended if one.losses]
    means = iter(torch.stack(found).tolist() if found else [])
    return [next(means) if one.losses else None for one in ended]


def _history_line(
    lane: Lane, loss: float | None, found: Evaluation, seconds: float, dev_seconds: float
) -> HistoryLine:
    dev = found.dev
    return HistoryLine(
        lane.epochs_done,
        lane.steps_done,
        loss,
        dev.scores,
        seconds,
        dev_seconds,
        found.tests,
        dev.correct,
        dev.constant,
    )


def _status(lane: Lane) -> str:
    if stopped_after(lane.scores, lane.config.train.patience) is not None:
        return "stopped_early"
    return "finished" if lane.has_ended else "running"


def _fail(lane: Lane, error: Exception) -> Lane:
    lane.status, lane.error = "failed", error
    if out_of_memory(error):
        lane.error = InputError(
            "the run does not fit in memory even one example at a time: shorten task.max_length or prompt.length, or "
            "set runtime.gradient_checkpointing=true."
        )
    return lane


def _description(lanes: Sequence[Lane]) -> str:
    """What the progress bar says."""
    lane = lanes[0]
    if len(lanes) > 1:
        return f"{len(lanes)} lanes"
    done = f" dev {lane.scores[-1]:.1f}" if lane.history else ""
    return f"{lane.config.task.name} {lane.config.method} epoch {lane.epochs_done:.1f}{done}"
