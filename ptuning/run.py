"""A run from beginning to end: the method section of the papers this project reproduces.

data -> frozen backbone -> prompt and head (a lane) -> training -> record
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import torch

from ptuning import backbone as backbones
from ptuning import data, heads, methods, records, select, tasks, weights
from ptuning.backbone import PRECISION, Backbone
from ptuning.config import RunConfig, parse
from ptuning.errors import InputError
from ptuning.lanes import Epoch, Lane
from ptuning.mirror import Mirror
from ptuning.records import Record
from ptuning.tasks.base import Task
from ptuning.train import train


def check(config: RunConfig) -> None:
    """Raise InputError for what can be seen to be wrong before any data or model is read."""
    task = tasks.load(config.task.name, **config.task.options)
    assert task.head in heads.HEADS
    method = methods.load(config.method)
    if method.Prompt is not None:
        parse(method.Prompt, config.prompt or {}, "prompt")
    elif config.prompt is not None:
        raise InputError(f"method={config.method} has no prompt: remove the prompt.* keys.")
    select.rule(config.selection)
    if config.runtime.device != "auto":
        device(config)


def run(configs: Sequence[RunConfig]) -> list[Record]:
    """Train `configs` as lanes of one batch and write a record for each.

    Raises InputError where their data, backbone or prompts are refused, or where they cannot share a batch.
    """
    for config in configs:
        check(config)
    _can_share(configs)
    records.provenance()  # whatever it needs is found missing now rather than after training
    loaded = [(task, data.load(task, config.data)) for config in configs for task in [_task(config)]]
    backbone = backbones.load(
        configs[0].backbone, configs[0].train, configs[0].runtime.attention, str(device(configs[0]))
    )
    if not methods.load(configs[0].method).trains_backbone:
        backbone.narrow(PRECISION[configs[0].train.precision])
    if configs[0].runtime.gradient_checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    lanes = [Lane.build(config, *one, backbone) for config, one in zip(configs, loaded, strict=True)]
    recorder = Recorder(backbone, len(lanes), Mirror(configs[0].runtime.wandb))
    try:
        for lane in lanes:
            recorder.mirror.begin(lane)
        train(backbone, lanes, recorder, progress=configs[0].runtime.progress)
    finally:
        recorder.mirror.abandon()
    return [recorder.records[records.run_id(config)] for config in configs]


def device(config: RunConfig) -> torch.device:
    """Raises InputError for a device that this machine does not have."""
    wanted = config.runtime.device
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    here += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted not in here:
        raise InputError(f"runtime.device={wanted} is not on this machine: choose one of auto, {', '.join(here)}.")
    return torch.device(wanted)


def _task(config: RunConfig) -> Task:
    return tasks.load(config.task.name, **config.task.options)


def _can_share(configs: Sequence[RunConfig]) -> None:
    def shared(config: RunConfig) -> tuple[object, ...]:
        return (config.backbone, config.train.precision, config.train.backbone_dropout)

    if len({shared(config) for config in configs}) > 1:
        raise InputError(
            "these runs cannot share a batch: backbone, train.precision and train.backbone_dropout differ."
        )
    if len(configs) > 1 and any(methods.load(config.method).trains_backbone for config in configs):
        raise InputError("a method that trains the backbone cannot share a batch with other runs: run it alone.")


class Recorder:
    """Writes each lane's record the moment the lane ends, so that nothing finished is lost."""

    def __init__(self, backbone: Backbone, lanes: int, mirror: Mirror) -> None:
        self.backbone, self.lanes = backbone, lanes
        self.records: dict[str, Record] = {}
        self.kept: dict[str, weights.State] = {}
        self.began = time.perf_counter()
        self.mirror = mirror
        if backbone.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(backbone.device)

    def epoch_ended(self, lane: Lane, epoch: Epoch) -> None:
        self.mirror.epoch_ended(lane, epoch)
        scores = _scores(lane)
        if lane.config.runtime.save and select.rule(lane.config.selection)(scores) == len(scores) - 1:
            self.kept[records.run_id(lane.config)] = weights.trained_state(lane.adapter, self.backbone)

    def lane_ended(self, lane: Lane) -> None:
        identifier = records.run_id(lane.config)
        if identifier in self.kept:
            weights.write(weights.path(lane.config), lane.config, self.kept.pop(identifier))
        self.records[identifier] = record = self._record(lane)
        records.write(lane.config, record)
        self.mirror.lane_ended(lane)

    def _record(self, lane: Lane) -> Record:
        scores = _scores(lane)
        chosen = None if lane.status == "diverged" else select.rule(lane.config.selection)(scores)
        trained = sum(parameter.numel() for parameter in lane.parameters)
        everything = [*self.backbone.parameters(), *lane.adapter.parameters()]
        frozen = sum(parameter.numel() for parameter in everything if not parameter.requires_grad)
        seconds = sum(epoch.seconds for epoch in lane.history)
        return {
            "id": records.run_id(lane.config),
            "status": lane.status,
            "config": records.dump(lane.config),
            "metric": lane.task.metric,
            "score": None if chosen is None else scores[chosen],
            "selection": {
                "rule": lane.config.selection,
                "epoch": None if chosen is None else lane.history[chosen].epoch,
            },
            "history": [asdict(epoch) for epoch in lane.history],
            "parameters": {"trained": trained, "total": trained + frozen, "share": trained / (trained + frozen)},
            "data": {
                "source": lane.data.source,
                "fingerprint": lane.data.fingerprint,
                "train_examples": len(lane.train),
                "dev_examples": len(lane.dev),
            },
            "backbone": {"fingerprint": self.backbone.fingerprint, "layers": self.backbone.layers},
            "speed": {
                "examples_per_second": len(lane.train) * len(lane.history) / seconds if seconds else None,
                "seconds": time.perf_counter() - self.began,
                "peak_memory_mb": _peak_memory(self.backbone.device) / 2**20,
                "lanes": self.lanes,
                "device": _device_name(self.backbone.device),
            },
        } | records.provenance()


def _scores(lane: Lane) -> list[float]:
    return [epoch.dev[lane.task.metric] for epoch in lane.history]


def _peak_memory(where: torch.device) -> float:
    """Bytes: the GPU's for this process, or the process's largest resident size so far."""
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _device_name(where: torch.device) -> str:
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"
