"""Lanes: many runs, one frozen backbone.

A batch holds examples of several lanes (`ptuning.training.forward`). Each lane has its own head, loss, optimizer,
schedule, clipping, data order and random streams. Rows do not mix inside the backbone, so the gradient of the lanes'
summed losses gives each lane exactly its own, and a packed run equals the solo run up to float rounding (with the
backbone's own dropout on, which rows share, up to its random draws).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ptuning.backbones.backbone import PRECISION, Backbone
from ptuning.backbones.hidden_cache import HiddenCache, Key
from ptuning.config import MixtureConfig, RunConfig
from ptuning.data import mixtures
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.prompts.inits.base import SourcePrompt
from ptuning.training import epoch_selection
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.batching import BATCHINGS
from ptuning.training.datasets import TaskDataset
from ptuning.training.optimizers import optimizer
from ptuning.training.schedules import schedule

MEAN = "mean"  # the key of a mixture's score: the mean of its sets' metrics


@dataclass
class HistoryLine:
    """One line of a run's history: an evaluation, after so many steps and (perhaps fractional) epochs, and the mean
    loss of the steps since the one before, None where there are none. Scores in percent; seconds of wall time, the
    evaluation's apart, and all that the lanes beside it did in that time included. `tests`: the scores on each test
    set, where the run's selection rule would have chosen this evaluation if it were the last. `right`: a digit a dev
    example, 1 where it is answered rightly; empty where the metric is no share of examples. `constant`: the answer
    that is given to all dev examples, where it is one."""

    epoch: float
    step: int
    loss: float | None
    dev: dict[str, float]
    seconds: float
    dev_seconds: float
    tests: dict[str, dict[str, float]] = field(default_factory=dict)
    right: str = ""
    constant: str | None = None


@dataclass(frozen=True)
class LaneTask:
    """A set that a run learns from, and what answers it: one, with the task's name, or the several of a mixture."""

    name: str
    dataset: TaskDataset
    adapter: Adapter

    def batch(self, split: str) -> AdapterBatch:
        """All of a split: `dev`, or a test set by its name."""
        encoded = self.dataset.dev if split == "dev" else self.dataset.tests[split]
        return AdapterBatch(self.adapter, encoded, np.arange(len(encoded)))


@dataclass
class Lane:
    """A run in training: its adapters, its examples, its optimizer, and how far it has come. `items_done` counts an
    item each time that it is learned from; `kept_prompts` are those of `runtime.keep_steps`, by step."""

    run: Run
    tasks: list[LaneTask]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    parameters: list[nn.Parameter]
    history: list[HistoryLine] = field(default_factory=list)
    status: str = "running"
    error: Exception | None = None  # what ended it, where it has failed
    best: dict[str, Tensor] | None = None  # what it had trained at the chosen epoch, where that is to be saved
    texts: dict[str, list[str]] = field(default_factory=dict)  # generated at the chosen epoch, by split
    since: float = field(default_factory=time.perf_counter)
    steps_done: int = 0
    items_done: int = 0
    kept_prompts: dict[int | str | None, dict[str, Tensor]] = field(default_factory=dict)
    most_lanes: int = 1  # that shared the backbone at once, itself included

    @classmethod
    def build(
        cls, run: Run, datasets: Sequence[TaskDataset], backbone: Backbone, sources: Sequence[SourcePrompt] = ()
    ) -> Lane:
        """`datasets` are those of the run's tasks, `sources` the prompts that it starts from. Raises InputError where
        its prompt does not fit the backbone, or is to be kept at a step that the run does not take."""
        config = run.config
        lane_tasks: list[LaneTask] = []
        for name, dataset in zip(run.tasks, datasets, strict=True):
            adapter = Adapter(run, name, backbone, lane_tasks[0].adapter if lane_tasks else None, sources)
            backbone.shape.check(adapter.layout, adapter.config.single.max_length)
            lane_tasks.append(LaneTask(name, dataset, adapter))
        _check_reached(lane_tasks, backbone)
        if run.trains_backbone:
            backbone.unfreeze(PRECISION[config.train.precision])
        groups = _parameter_groups(lane_tasks, backbone if run.trains_backbone else None)
        updates = optimizer(groups, config.train)
        steps_per_epoch = sum(_steps(config, lane_tasks))
        steps = _total_steps(config, steps_per_epoch)
        _check_kept(config, steps)
        return cls(
            run, lane_tasks, updates,
            schedule=schedule(updates, config.train, steps, steps_per_epoch),
            scaler=torch.amp.GradScaler(backbone.device.type, enabled=config.train.precision == "fp16"),
            parameters=[parameter for group in groups.values() for parameter in group],
        )  # fmt: skip

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def adapter(self) -> Adapter:
        """The first of its adapters: their method and random stream are one."""
        return self.tasks[0].adapter

    @property
    def metric(self) -> str:
        """The key of a dev evaluation that chooses the epoch."""
        return self.tasks[0].dataset.task.metric if len(self.tasks) == 1 else MEAN

    @property
    def scores(self) -> list[float]:
        """The dev scores so far, one an evaluation."""
        return [epoch.dev[self.metric] for epoch in self.history]

    @property
    def at_chosen_epoch(self) -> bool:
        """Whether the run's selection rule chooses the newest evaluation, as things are."""
        return epoch_selection.rule(self.config.selection)(self.scores) == len(self.history) - 1

    @property
    def epoch(self) -> int:
        """The epoch in progress, counted from 1."""
        return self.steps_done // self.steps_per_epoch + 1

    @property
    def steps_per_epoch(self) -> int:
        return sum(_steps(self.config, self.tasks))

    @property
    def steps(self) -> int:
        """Steps that it takes, where it does not stop early."""
        return _total_steps(self.config, self.steps_per_epoch)

    @property
    def is_due(self) -> bool:
        """Whether it is to be evaluated now: every so many steps, and after its last."""
        return self.steps_done % (self.config.train.eval_every or self.steps_per_epoch) == 0 or self.has_ended

    @property
    def has_ended(self) -> bool:
        return self.steps_done == self.steps

    @property
    def epochs_done(self) -> float:
        """A whole number is an int, as in records of whole epochs alone."""
        whole, rest = divmod(self.steps_done, self.steps_per_epoch)
        return whole if not rest else self.steps_done / self.steps_per_epoch

    @property
    def tokens_per_step(self) -> float:
        """Tokens that this lane brings to a batch on average, padding apart."""
        sets = [lane_task.dataset.train for lane_task in self.tasks]
        return max(
            min(self.config.train.batch_size, len(examples))
            * examples.choices
            * (float(examples.lengths.mean()) + self.adapter.layout.inserted)
            for examples in sets
        )

    @property
    def hidden_cache_keys(self) -> list[Key]:
        """What of the backbone's hidden-state cache this lane reads."""
        sets = [one for lane_task in self.tasks for one in (lane_task.dataset.train, lane_task.dataset.dev)]
        return [HiddenCache.key(one, self.adapter.method.first_layer, self.adapter.layout) for one in sets]

    def batches(self) -> Iterator[AdapterBatch]:
        """The epoch's batches: by `train.batching` and the run's seed, of one set at a time."""
        randoms = [np.random.default_rng([self.config.seed, self.epoch, i]) for i in range(len(self.tasks) + 1)]
        steps = _steps(self.config, self.tasks)
        batches = [
            self._endless(lane_task, count, random)
            for lane_task, count, random in zip(self.tasks, steps, randoms[:-1], strict=True)
        ]
        for which in mixtures.task_order(steps, randoms[-1]).tolist():
            yield next(batches[which])

    def _endless(self, lane_task: LaneTask, steps: int, random: np.random.Generator) -> Iterator[AdapterBatch]:
        """A set's batches, shuffled anew each time they are through; where an epoch takes only `steps` of them, those
        of so many items drawn from all."""
        examples, batch_size = lane_task.dataset.train, self.config.train.batch_size
        batching = BATCHINGS[self.config.train.batching]
        while True:
            drawn = np.arange(len(examples))
            if steps * batch_size < len(examples):
                drawn = random.permutation(drawn)[: steps * batch_size]
            for rows in batching.make(examples.longest[drawn], batch_size, random):
                yield AdapterBatch(lane_task.adapter, examples, drawn[rows], divisible=batching.divisible)

    @property
    def test_sets(self) -> list[str]:
        """Those of the run's task; a mixture, which nothing is reported of, has none."""
        return list(self.tasks[0].dataset.data.tests) if len(self.tasks) == 1 else []

    def step(self) -> None:
        """Update what this lane trains from the gradients that stand in it."""
        self.scaler.unscale_(self.optimizer)
        if self.config.train.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.config.train.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps_done += 1
        if self.steps_done in self.config.runtime.keep_steps:
            self.keep(self.steps_done)

    def evaluated(self, line: HistoryLine, texts: dict[str, list[str]]) -> None:
        """Take an evaluation into the history, and keep the `texts` that were generated in it, by split, where it is
        the one that the run is reported by."""
        self.history.append(line)
        if self.at_chosen_epoch:
            self.texts = texts
        is_best = epoch_selection.best_dev(self.scores) == len(self.history) - 1
        for step in ("best", "last") if is_best else ("last",):
            if step in self.config.runtime.keep_steps:
                self.keep(step)

    def keep(self, step: int | str) -> None:
        """Keep the prompt as it is now."""
        folded = self.adapter.method.folded()
        self.kept_prompts[step] = {f"prompt.{key}": value.to("cpu", copy=True) for key, value in folded.items()}


def _parameter_groups(lane_tasks: Sequence[LaneTask], backbone: Backbone | None) -> dict[str, list[nn.Parameter]]:
    """What trains, by the names that `train.lrs` has for it; `backbone`: where that trains too."""
    heads = dict.fromkeys(parameter for lane_task in lane_tasks for parameter in lane_task.adapter.head.parameters())
    groups = lane_tasks[0].adapter.method.parameter_groups() | {"head": list(heads)}
    if backbone is not None:
        groups["backbone"] = list(backbone.parameters())
    return {name: [one for one in group if one.requires_grad] for name, group in groups.items()}


def _total_steps(config: RunConfig, steps_per_epoch: int) -> int:
    return (config.train.epochs or 0) * steps_per_epoch if config.train.steps is None else config.train.steps


def _check_reached(lane_tasks: Sequence[LaneTask], backbone: Backbone) -> None:
    """Raise InputError for a prompt in a stack that does not run, which would learn nothing: heads that answer with
    the text's own tokens leave the decoder of an encoder-decoder alone."""
    chosen = {site.stack for site in lane_tasks[0].adapter.method.sites} - {backbone.stack}
    if chosen and all(lane_task.dataset.train.decoder is None for lane_task in lane_tasks):
        raise InputError(
            f"prompt.stacks has {', '.join(sorted(chosen))}, and the head of {lane_tasks[0].name} reads the "
            f"{backbone.stack} alone, so that nothing else runs: set prompt.stacks=[{backbone.stack}]."
        )


def _check_kept(config: RunConfig, steps: int) -> None:
    for step in config.runtime.keep_steps:
        if isinstance(step, int) and step > steps:
            raise InputError(
                f"runtime.keep_steps={step} is after the last of the run's {steps} steps: name an earlier one (of a "
                "source, sources.<name>.step)."
            )


def _steps(config: RunConfig, lane_tasks: Sequence[LaneTask]) -> list[int]:
    """Batches of each set in an epoch."""
    sizes, batch_size = [len(lane_task.dataset.train) for lane_task in lane_tasks], config.train.batch_size
    if isinstance(config.task, MixtureConfig):
        return mixtures.steps_per_task(sizes, batch_size, config.task.cap, config.task.temperature)
    return mixtures.steps_per_task(sizes, batch_size, None, 1)
