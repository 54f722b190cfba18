"""Lanes: many runs, one frozen backbone.

A batch holds examples of several lanes (`ptuning.training.forward`). Each lane has its own head, loss, optimizer,
schedule, clipping, data order and random streams. Rows do not mix inside the backbone, so the gradient of the lanes'
summed losses gives each lane exactly its own, and a packed run equals the solo run up to float rounding (with the
backbone's own dropout on, which rows share, up to its random draws).
"""

from __future__ import annotations

import math
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
from ptuning.parsed import Run
from ptuning.training import epoch_selection
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.batching import bucketed
from ptuning.training.datasets import TaskDataset
from ptuning.training.schedules import schedule

MEAN = "mean"  # the key of a mixture's score: the mean of its sets' metrics


@dataclass
class Epoch:
    """One line of a run's history. Scores in percent; seconds of wall time, its own evaluation apart, and all that the
    lanes beside it did in that time included. `tests`: the scores on each test set, in the epochs that the run's
    selection rule would have chosen when they ended. `right`: a digit a dev example, 1 where it is answered rightly;
    empty where the metric is no share of examples."""

    epoch: int
    loss: float
    dev: dict[str, float]
    seconds: float
    dev_seconds: float
    tests: dict[str, dict[str, float]] = field(default_factory=dict)
    right: str = ""


@dataclass(frozen=True)
class LaneTask:
    """A set that a run learns from, and what answers it: one, with the task's name, or the several of a mixture."""

    name: str
    material: TaskDataset
    adapter: Adapter

    def part(self, split: str) -> AdapterBatch:
        """All of a split: `dev`, or a test set by its name."""
        encoded = self.material.dev if split == "dev" else self.material.tests[split]
        return AdapterBatch(self.adapter, encoded, np.arange(len(encoded)))


@dataclass
class Lane:
    """A run in training: its adapters, its examples, its optimizer, and how far it has come."""

    run: Run
    members: list[LaneTask]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    parameters: list[nn.Parameter]
    history: list[Epoch] = field(default_factory=list)
    status: str = "running"
    error: Exception | None = None  # what ended it, where it has failed
    best: dict[str, Tensor] | None = None  # what it had trained at the chosen epoch, where that is to be saved
    since: float = field(default_factory=time.perf_counter)
    most_lanes: int = 1  # that shared the backbone at once, itself included

    @classmethod
    def build(cls, run: Run, materials: Sequence[TaskDataset], backbone: Backbone) -> Lane:
        """`materials` are those of the run's tasks. Raises InputError where its prompt does not fit the backbone."""
        config = run.config
        members: list[LaneTask] = []
        for (name, one), material in zip(config.members.items(), materials, strict=True):
            adapter = Adapter(one, material.task, backbone, members[0].adapter if members else None)
            backbone.check(adapter.layout, one.single.max_length)
            members.append(LaneTask(name, material, adapter))
        if members[0].adapter.method.trains_backbone:
            backbone.unfreeze(PRECISION[config.train.precision])
        modules = _trained(members, backbone)
        parameters = list(dict.fromkeys(p for module in modules for p in module.parameters() if p.requires_grad))
        optimizer = torch.optim.AdamW(
            parameters, lr=config.train.lr, weight_decay=config.train.weight_decay, fused=True
        )
        return cls(
            run, members, optimizer,
            schedule=schedule(optimizer, config.train, sum(_steps(config, members))),
            scaler=torch.amp.GradScaler(backbone.device.type, enabled=config.train.precision == "fp16"),
            parameters=parameters,
        )  # fmt: skip

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def adapter(self) -> Adapter:
        """The first of its adapters: their method and random stream are one."""
        return self.members[0].adapter

    @property
    def metric(self) -> str:
        """The key of a dev evaluation that chooses the epoch."""
        return self.members[0].material.task.metric if len(self.members) == 1 else MEAN

    @property
    def scores(self) -> list[float]:
        """The dev scores so far, one an epoch."""
        return [epoch.dev[self.metric] for epoch in self.history]

    @property
    def at_chosen_epoch(self) -> bool:
        """Whether the run's selection rule chooses the newest epoch, as things are."""
        return epoch_selection.rule(self.config.selection)(self.scores) == len(self.history) - 1

    @property
    def epoch(self) -> int:
        """The epoch in progress, counted from 1."""
        return len(self.history) + 1

    @property
    def steps_per_epoch(self) -> int:
        return sum(_steps(self.config, self.members))

    @property
    def tokens_per_step(self) -> float:
        """Tokens that this lane brings to a batch on average, padding apart."""
        sets = [member.material.train for member in self.members]
        return max(
            min(self.config.train.batch_size, len(examples))
            * examples.choices
            * (float(examples.lengths.mean()) + self.adapter.layout.inserted)
            for examples in sets
        )

    @property
    def hidden_cache_keys(self) -> list[Key]:
        """What of the backbone's hidden-state cache this lane reads."""
        sets = [one for member in self.members for one in (member.material.train, member.material.dev)]
        return [HiddenCache.key(one, self.adapter.method.first_layer, self.adapter.layout) for one in sets]

    def batches(self) -> Iterator[AdapterBatch]:
        """The epoch's batches: shuffled by the run's seed, of similar length each, of one set at a time."""
        randoms = [np.random.default_rng([self.config.seed, self.epoch, i]) for i in range(len(self.members) + 1)]
        steps = _steps(self.config, self.members)
        batches = [
            self._endless(member, count, random)
            for member, count, random in zip(self.members, steps, randoms[:-1], strict=True)
        ]
        for which in mixtures.task_order(steps, randoms[-1]).tolist():
            yield next(batches[which]).with_dropout()

    def _endless(self, member: LaneTask, steps: int, random: np.random.Generator) -> Iterator[AdapterBatch]:
        """A set's batches, shuffled anew each time they are through; where an epoch takes only `steps` of them, those
        of so many items drawn from all."""
        examples, batch_size = member.material.train, self.config.train.batch_size
        while True:
            drawn = np.arange(len(examples))
            if steps * batch_size < len(examples):
                drawn = random.permutation(drawn)[: steps * batch_size]
            for rows in bucketed(examples.longest[drawn], batch_size, random):
                yield AdapterBatch(member.adapter, examples, drawn[rows])

    @property
    def items_per_epoch(self) -> int:
        """Items that an epoch goes through, those of sets that it goes through more than once counted each time."""
        total = 0
        for member, steps in zip(self.members, _steps(self.config, self.members), strict=True):
            size, batch_size = len(member.material.train), self.config.train.batch_size
            rounds, rest = divmod(steps, math.ceil(size / batch_size))
            total += rounds * size + min(size, rest * batch_size)
        return total

    @property
    def test_sets(self) -> list[str]:
        """Those of the run's task; a mixture, which nothing is reported of, has none."""
        return list(self.members[0].material.data.tests) if len(self.members) == 1 else []

    def step(self) -> None:
        """Update what this lane trains from the gradients that stand in it."""
        self.scaler.unscale_(self.optimizer)
        if self.config.train.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.config.train.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)


def _trained(members: Sequence[LaneTask], backbone: Backbone) -> list[nn.Module]:
    adapters = [member.adapter for member in members]
    return [*adapters, backbone] if adapters[0].method.trains_backbone else list(adapters)


def _steps(config: RunConfig, members: Sequence[LaneTask]) -> list[int]:
    """Batches of each set in an epoch."""
    sizes, batch_size = [len(member.material.train) for member in members], config.train.batch_size
    if isinstance(config.task, MixtureConfig):
        return mixtures.steps_per_task(sizes, batch_size, config.task.cap, config.task.temperature)
    return mixtures.steps_per_task(sizes, batch_size, None, 1)
