"""A run from beginning to end: the method section of the papers this project reproduces.

data -> frozen backbone -> prompt and head (a lane) -> training -> record
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from ptuning import heads, methods, tasks
from ptuning.backbones import load
from ptuning.backbones.backbone import PRECISION, Backbone
from ptuning.config import RunConfig, parse
from ptuning.data.splits import combined_fingerprint
from ptuning.errors import InputError
from ptuning.prompts import prompt
from ptuning.records import store, weights
from ptuning.records.identity import identity, run_id
from ptuning.records.provenance import provenance
from ptuning.records.record import Record, choose_epoch
from ptuning.records.wandb_log import WandbLogger
from ptuning.records.writer import RecordWriter
from ptuning.training import epoch_selection
from ptuning.training.budget import Budget
from ptuning.training.datasets import DatasetCache
from ptuning.training.lanes import Epoch, Lane, LaneTask
from ptuning.training.loop import train
from ptuning.training.measure import measure

ALONE = 8192  # tokens in a pass of a run that shares its backbone with no other: only evaluation asks


def check(config: RunConfig) -> None:
    """Raise InputError for what can be seen to be wrong before any data or model is read."""
    for member in config.members.values():
        task = tasks.load(member.single.name, **member.single.options)
        heads.load(task.head)
    method = methods.load(config.method)
    if method.Prompt is not None:
        parse(method.Prompt, config.prompt or {}, "prompt")
    elif config.prompt is not None:
        raise InputError(f"method={config.method} has no prompt: remove the prompt.* keys.")
    epoch_selection.rule(config.selection)
    _check_parent(config)
    if config.runtime.device != "auto":
        device(config.runtime.device)


def _check_parent(config: RunConfig) -> None:
    parent = config.parent_run
    if parent is None:
        return
    if config.prompt is None:
        raise InputError(f"parent: method={config.method} has no prompt to start from: remove parent.")
    if not prompt.folds_to_itself(config.prompt):
        raise InputError(
            "parent: a prompt is handed on without what produced it, and this run starts from one: set "
            "prompt.reparameterization=none."
        )
    check(parent)


def run(configs: Sequence[RunConfig]) -> list[Record]:
    """Train `configs` as lanes of one batch and write a record for each.

    Raises InputError where they cannot share a batch, and, when the others have ended, what went wrong with one.
    """
    for config in configs:
        check(config)
    if len({shared(config) for config in configs}) > 1:
        raise InputError("these runs cannot share a batch: they differ in backbone, precision or dropout.")
    if len(configs) > 1 and trains_backbone(configs[0]):
        raise InputError("a method that trains the backbone cannot share a batch with other runs: run it alone.")
    keeper = Keeper()
    try:
        work(iter(configs), keeper, len(configs))
    finally:
        keeper.outbox.close()
    for error in keeper.failures.values():
        raise error
    return [keeper.records[run_id(config)] for config in configs]


def work(queue: Iterator[RunConfig], keeper: Keeper, runs: int) -> None:
    """Train what comes out of `queue`, about so many `runs` that can share a batch, as lanes; `keeper` is told how
    each ends.

    Raises InputError where the backbone cannot be had.
    """
    first = next(queue, None)
    if first is None:
        return
    provenance()  # whatever it needs is found missing now rather than after training
    backbone = ready(first)
    budget = _budget(first, runs, backbone)
    recorder = Recorder(backbone, keeper, WandbLogger(first.runtime.wandb))
    try:
        train(backbone, _Lanes(first, queue, backbone, keeper), recorder, budget, first.runtime.progress)
    finally:
        recorder.mirror.abandon()
        backbone.hidden_cache = None


def ready(config: RunConfig) -> Backbone:
    """The backbone as the run needs it: on its device, in its precision. Raises InputError."""
    backbone = load.load(config.backbone, config.train, config.runtime.attention, str(device(config.runtime.device)))
    if config.runtime.gradient_checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    if not trains_backbone(config):
        backbone.cast_frozen(PRECISION[config.train.precision])
        if config.train.backbone_dropout == 0:
            backbone.cache_hidden(config.runtime.stem_memory_gb * 1e9, config.runtime.stem_disk_gb * 1e9)
    return backbone


def _budget(config: RunConfig, runs: int, backbone: Backbone) -> Budget:
    if config.runtime.tokens_per_pass != "auto":
        return Budget(config.runtime.tokens_per_pass)
    return measure(backbone) if runs > 1 else Budget(ALONE)


class _Lanes:
    """Lanes of the runs in a queue, built when they are asked for. It may have none now and one later."""

    def __init__(self, first: RunConfig, queue: Iterator[RunConfig], backbone: Backbone, keeper: Keeper) -> None:
        self.waiting, self.queue, self.backbone, self.keeper = [first], queue, backbone, keeper
        self.materials = DatasetCache(backbone.tokenizer)

    def __iter__(self) -> Iterator[Lane]:
        return self

    def __next__(self) -> Lane:
        while True:
            config = self.waiting.pop(0) if self.waiting else next(self.queue)
            try:
                lane = Lane.build(config, [self.materials.of(one) for one in config.members.values()], self.backbone)
                if config.parent_run is not None:
                    weights.hand_on(config.parent_run, lane.adapter)
                return lane
            except torch.AcceleratorError:
                raise  # the device is of no use any more
            except Exception as error:  # one run's bad data must not end the others
                self.keeper.failed(config, error)


def device(wanted: str) -> torch.device:
    """Raises InputError for a device that this machine does not have."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    here += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted not in here:
        raise InputError(f"runtime.device={wanted} is not on this machine: choose one of auto, {', '.join(here)}.")
    return torch.device(wanted)


def shared(config: RunConfig) -> str:
    """What runs must have in common to share a batch."""
    return config.model_dump_json(
        include={
            "backbone": True,
            "train": {"precision", "backbone_dropout"},
            "runtime": {"device", "attention", "gradient_checkpointing", "results"},
        }
    )


def trains_backbone(config: RunConfig) -> bool:
    """Whether the run changes the backbone, and so cannot share it."""
    return methods.load(config.method).trains_backbone


class Keeper:
    """Keeps what comes out of runs: records and failures, here and on disk. A sweep's own adds what it tells."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.failures: dict[str, Exception] = {}
        self.outbox = RecordWriter()

    def ended(self, config: RunConfig, record: Record, state: weights.State | None) -> None:
        """A run is through; `state` is what it trained, where that is to be saved."""
        self.records[run_id(config)] = record
        self.outbox.put(config, record, state)

    def failed(self, config: RunConfig, error: Exception) -> None:
        """A run is given up."""
        self.failures[run_id(config)] = error


class Recorder:
    """Makes each lane's record the moment the lane ends, so that nothing finished is lost."""

    def __init__(self, backbone: Backbone, keeper: Keeper, mirror: WandbLogger) -> None:
        self.backbone, self.keeper, self.mirror = backbone, keeper, mirror
        self.kept: dict[str, weights.State] = {}
        self.lives: dict[str, _Life] = {}
        if backbone.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(backbone.device)

    def lane_began(self, lane: Lane) -> None:
        self.lives[run_id(lane.config)] = _Life()
        for life in self.lives.values():
            life.lanes = max(life.lanes, len(self.lives))
        self.mirror.begin(lane)

    def epoch_ended(self, lane: Lane, epoch: Epoch) -> None:
        self.mirror.epoch_ended(lane, epoch)
        if (
            lane.config.runtime.save
            and epoch_selection.rule(lane.config.selection)(lane.scores) == len(lane.history) - 1
        ):
            self.kept[run_id(lane.config)] = weights.trained_state(lane.members, self.backbone)

    def lane_ended(self, lane: Lane) -> None:
        identifier = run_id(lane.config)
        record = self._record(lane, self.lives.pop(identifier))
        state = self.kept.pop(identifier, None)
        self.keeper.ended(lane.config, record, None if lane.status == "diverged" else state)
        self.mirror.lane_ended(lane)

    def lane_failed(self, lane: Lane, error: Exception) -> None:
        self.lives.pop(run_id(lane.config))
        self.kept.pop(run_id(lane.config), None)
        self.keeper.failed(lane.config, error)
        self.mirror.lane_ended(lane)

    def _record(self, lane: Lane, life: _Life) -> Record:
        trained = sum(parameter.numel() for parameter in lane.parameters)
        modules = [self.backbone, *(member.adapter for member in lane.members)]
        everything = dict.fromkeys(parameter for module in modules for parameter in module.parameters())
        frozen = sum(parameter.numel() for parameter in everything if not parameter.requires_grad)
        seconds = sum(epoch.seconds for epoch in lane.history)
        parent = lane.config.parent_run
        record: Record = {
            "id": run_id(lane.config),
            "status": lane.status,
            "config": store.dump(lane.config),
            "identity": identity(lane.config),
            "parent": None if parent is None else store.path(parent).name,
            "metric": lane.metric,
            "history": [asdict(epoch) for epoch in lane.history],
            "parameters": {"trained": trained, "total": trained + frozen, "share": trained / (trained + frozen)},
            "data": _described(lane.members),
            "backbone": {"fingerprint": self.backbone.fingerprint, "layers": self.backbone.layers},
            "speed": {
                "examples_per_second": lane.items_per_epoch * len(lane.history) / seconds if seconds else None,
                "seconds": time.perf_counter() - life.since,
                "peak_memory_mb": _peak_memory(self.backbone.device) / 2**20,
                "lanes": life.lanes,
                "device": _device_name(self.backbone.device),
            },
        } | provenance()
        epoch, score = choose_epoch(record, lane.config.selection) or (None, None)
        return record | {"score": score, "selection": {"rule": lane.config.selection, "epoch": epoch}}


def _described(members: Sequence[LaneTask]) -> dict[str, Any]:
    """The data of a record: of a mixture the numbers of all its sets together, and each set by its name."""
    data = [member.material.data for member in members]
    first = data[0]
    told: dict[str, Any] = {
        "source": first.source,
        "fingerprint": combined_fingerprint([one.fingerprint for one in data]),
        "train_examples": sum(len(one.train) for one in data),
        "dev_examples": sum(len(one.dev) for one in data),
    }
    if first.tests and len(data) == 1:
        told["test_examples"] = {name: len(examples) for name, examples in first.tests.items()}
    if len(data) > 1:
        told["sets"] = {member.name: _described([member]) for member in members}
    return told


@dataclass
class _Life:
    """A lane's time in the pack: since when, and with how many lanes at most, itself included."""

    since: float = field(default_factory=time.perf_counter)
    lanes: int = 1


def _peak_memory(where: torch.device) -> float:
    """Bytes: the GPU's for this process, or the process's largest resident size so far."""
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _device_name(where: torch.device) -> str:
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"
