"""The record of a run that has just ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig
from ptuning.data.splits import combined_fingerprint
from ptuning.devices import device_name, peak_memory
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.identity import identity, run_name, source_id
from ptuning.records.provenance import provenance
from ptuning.records.record import Record, choose_epoch
from ptuning.training.lanes import HistoryLine, Lane, LaneTask


def run_record(lane: Lane, backbone: Backbone) -> Record:
    """What the run on `lane` leaves: `score` and the chosen epoch are None where it diverged."""
    run = lane.run
    record: Record = {
        "kind": "run",
        "id": run.id,
        "status": lane.status,
        "config": store.dump(run.config),
        "identity": identity(run.config),
        **_sources(run.config),
        "metric": lane.metric,
        "history": [_history_line(line) for line in lane.history],
        "parameters": _parameters(lane, backbone),
        "data": _data(lane.tasks),
        "backbone": backbone_of(run, backbone),
        "speed": _speed(lane, backbone),
    } | provenance()
    epoch, score = choose_epoch(record, run.config.selection) or (None, None)
    return record | {"score": score, "selection": {"rule": run.config.selection, "epoch": epoch}}


def _history_line(line: HistoryLine) -> dict[str, Any]:
    """`constant` stands there only where all dev examples have one answer."""
    return {key: value for key, value in asdict(line).items() if key != "constant" or value is not None}


def _sources(config: RunConfig) -> dict[str, Any]:
    """The runs that it started from, with the step and weight of each prompt; `parent`: the record of one alone."""
    found = [
        {
            "record": f"{run_name(one.run)}.json" if isinstance(one.run, RunConfig) else None,
            "id": source_id(one),
            "step": one.step,
            "weight": one.weight,
        }
        for one in config.source_runs
    ]
    return {"parent": found[0]["record"] if len(found) == 1 else None, "sources": found}


def _parameters(lane: Lane, backbone: Backbone) -> dict[str, Any]:
    """How many are trained, of how many."""
    trained = sum(parameter.numel() for parameter in lane.parameters)
    modules = [backbone, *(lane_task.adapter for lane_task in lane.tasks)]
    everything = dict.fromkeys(parameter for module in modules for parameter in module.parameters())
    frozen = sum(parameter.numel() for parameter in everything if not parameter.requires_grad)
    return {"trained": trained, "total": trained + frozen, "share": trained / (trained + frozen)}


def _data(lane_tasks: Sequence[LaneTask]) -> dict[str, Any]:
    """The data of a record: of a mixture the numbers of all its sets together, and each set by its name.

    `counts` (what a split holds besides examples), `quirks` (what is odd and read all the same), `drawn` (of
    `data.sample_seed`) and `cut` (examples of which something did not fit) by split, where there are any; older
    records have none. `labels`: those of the data, where the task has none of its own.
    """
    data = [lane_task.dataset.data for lane_task in lane_tasks]
    first = data[0]
    found: dict[str, Any] = {
        "source": first.source,
        "fingerprint": combined_fingerprint([one.fingerprint for one in data]),
        "train_examples": sum(len(one.train) for one in data),
        "dev_examples": sum(len(one.dev) for one in data),
    }
    if first.tests and len(data) == 1:
        found["test_examples"] = {name: len(examples) for name, examples in first.tests.items()}
    if len(data) == 1 and lane_tasks[0].dataset.task.labels and first.answers:
        found["labels"] = list(first.answers)
    if len(data) == 1:
        said = {"counts": first.counts, "quirks": first.quirks, "drawn": first.drawn}
        found |= {key: one for key, one in said.items() if one}
        cut = {split: dict(one.cut) for split, one in lane_tasks[0].dataset.encoded.items() if any(one.cut.values())}
        found |= {"cut": cut} if cut else {}
    if len(data) > 1:
        found["sets"] = {lane_task.name: _data([lane_task]) for lane_task in lane_tasks}
    return found


def backbone_of(run: Run, backbone: Backbone) -> dict[str, Any]:
    """What the backbone is made of; of its pooler and its language-model head, where the run uses
    the checkpoint's."""
    used = {
        "pooler": run.config.backbone.pooler in ("frozen", "trained"),
        "lm_head": any(head.needs_language_model for head in run.heads.values()),
    }
    content = {key: value for key, value in backbone.content.items() if used.get(key, True)}
    return content | {"layers": backbone.layers}


def _speed(lane: Lane, backbone: Backbone) -> dict[str, Any]:
    """`seconds` since the lane began; `lanes`: how many shared the backbone at most, itself included."""
    seconds = sum(epoch.seconds for epoch in lane.history)
    return {
        "examples_per_second": lane.items_done / seconds if seconds else None,
        "seconds": time.perf_counter() - lane.since,
        "peak_memory_mb": peak_memory(backbone.device) / 2**20,
        "lanes": lane.most_lanes,
        "device": device_name(backbone.device),
    }
