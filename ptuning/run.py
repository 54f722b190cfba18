"""A run from beginning to end: the methods section of the papers that this project reproduces.

data -> frozen backbone -> prompt and head -> training -> record
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial

import torch

from ptuning.backbones import load
from ptuning.backbones.backbone import PRECISION, Backbone
from ptuning.config import RunConfig
from ptuning.devices import find_device, reset_peak_memory
from ptuning.errors import InputError
from ptuning.lane_queue import LaneQueue, NextRun
from ptuning.parsed import Run
from ptuning.records import generations, weights
from ptuning.records.events import Evaluated, Event, Listener, Notice, RunEnded, RunFailed, to_all
from ptuning.records.provenance import provenance
from ptuning.records.record import Record
from ptuning.records.run_record import run_record
from ptuning.records.wandb_log import WandbLogger
from ptuning.records.writer import RecordWriter
from ptuning.training.datasets import DatasetCache
from ptuning.training.lanes import Lane
from ptuning.training.loop import train
from ptuning.training.measure import choose_budget


def run(configs: Sequence[RunConfig]) -> list[Record]:
    """Train `configs` as lanes of one pack and write a record for each.

    Raises InputError where they cannot share a backbone, and, when the others have ended, what went wrong with one.
    """
    runs = [Run.parse(config) for config in configs]
    if len({run.pack_key for run in runs}) > 1:
        raise InputError(
            "these runs cannot share a batch: they differ in backbone, precision or dropout, or one trains the "
            "backbone; run them apart."
        )
    outcomes: dict[str, RunEnded | RunFailed] = {}

    def keep(event: Event) -> None:
        if isinstance(event, RunEnded | RunFailed):
            outcomes[event.run_id] = event

    with closing(RecordWriter()) as writer:
        train_pack(partial(next, iter(runs), None), len(runs), writer, to_all([keep, WandbLogger()]))
    for outcome in outcomes.values():
        if isinstance(outcome, RunFailed):
            outcome.raise_error()
    records = {outcome.run_id: outcome.record for outcome in outcomes.values() if isinstance(outcome, RunEnded)}
    return [records[run.id] for run in runs]


def train_pack(next_run: NextRun, expected: int, writer: RecordWriter, notify: Listener) -> None:
    """Train the runs that `next_run` gives, about `expected` that can share a backbone, as its lanes; `notify` hears
    how each fares.

    Raises InputError where the backbone cannot be had.
    """
    queue = LaneQueue(next_run, notify)
    first = queue.peek()
    if first is None:
        return
    provenance()  # whatever it needs is found missing now rather than after training
    backbone = prepare_backbone(first)
    datasets = DatasetCache(backbone, lambda text: notify(Notice(text)))
    budget = choose_budget(first.config.runtime.tokens_per_pass, expected, backbone)
    reset_peak_memory(backbone.device)
    try:
        next_lane = partial(queue.next_lane, lambda run: build_lane(run, datasets, backbone))
        for lane in train(backbone, next_lane, budget, first.config.runtime.progress):
            report(lane, backbone, writer, notify)
    finally:
        backbone.hidden_cache = None


def prepare_backbone(run: Run) -> Backbone:
    """The backbone as the run needs it: on its device, in its precision, and frozen unless the run trains it.

    Raises InputError.
    """
    runtime, training = run.config.runtime, run.config.train
    dtype = torch.float32 if run.trains_backbone else PRECISION[training.precision]
    backbone = load.load(run.config.backbone, training, runtime.attention, str(find_device(runtime.device)), dtype)
    if runtime.gradient_checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    if not run.trains_backbone and training.backbone_dropout == 0:
        backbone.cache_hidden(runtime.hidden_cache_memory_gb * 1e9, runtime.hidden_cache_disk_gb * 1e9)
    return backbone


def build_lane(run: Run, datasets: DatasetCache, backbone: Backbone) -> Lane:
    """The run's data, and on the backbone its prompt and head, with what trains them.

    Raises InputError for bad data, and for a prompt that does not fit the backbone.
    """
    found = {name: datasets.of(run, name) for name in run.tasks}
    labelled = run.answering({name: one.task for name, one in found.items()})
    return Lane.build(labelled, list(found.values()), backbone, weights.sources(run.config, backbone))


def report(lane: Lane, backbone: Backbone, writer: RecordWriter, notify: Listener) -> None:
    """Tell how a lane did in its last evaluation, and write its record when it is through; whatever is wrong with
    that is its failure alone."""
    run = lane.run
    if lane.error is not None:
        notify(RunFailed.of(run.id, lane.error))
        return
    if lane.status != "diverged":
        if run.config.runtime.save and lane.at_chosen_epoch:
            lane.best = weights.trained_state(lane.tasks, backbone)
        notify(Evaluated(run.id, lane.history[-1]))
    if lane.status != "running":
        try:
            record = write_run(lane, backbone, writer)
        except torch.AcceleratorError:
            raise  # the device is of no use any more
        except Exception as error:
            notify(RunFailed.of(run.id, error))
        else:
            notify(RunEnded(run.id, record))


def write_run(lane: Lane, backbone: Backbone, writer: RecordWriter) -> Record:
    """The record of a lane that is through, written with the weights that are to be kept."""
    record = run_record(lane, backbone)
    selected = {} if lane.best is None else {None: lane.best}
    data = lane.tasks[0].dataset.data
    asked = {split: lane.adapter.requests(data.examples(split)) for split in lane.texts}
    generated = generations.lines(asked, lane.texts)
    writer.write(lane.run, record, {} if lane.status == "diverged" else selected | lane.kept_prompts, generated)
    return record
