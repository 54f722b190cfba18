"""Mixed-task inference: a stream of questions of several tasks, answered in mixed batches, or task by task."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import torch

from experiments.benchmark.ours import Ours
from experiments.benchmark.work import run_configs
from ptuning.parsed import Run
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.predictions import predict

ARRIVING = 32  # questions that wait together


def compare(ours: Ours, tasks: int, rounds: int) -> dict[str, list[float]]:
    """Seconds to answer all texts of the work, each of one of `tasks` tasks by chance, ARRIVING at a time."""
    work = ours.work
    configs = run_configs(work, tasks)
    adapters = [Adapter(Run.parse(config), config.single.name, ours.backbone) for config in configs]
    asked = np.random.default_rng(0).integers(0, tasks, len(work.examples))
    batches = np.array_split(np.arange(len(asked)), max(1, len(asked) // ARRIVING))
    seconds: dict[str, list[float]] = {"mixed": [], "task_by_task": []}
    for _ in range(rounds + 1):
        for name, times in seconds.items():
            began = time.perf_counter()
            for batch in batches:
                parts = [
                    AdapterBatch(adapters[one], work.examples, rows) for one in range(tasks)
                    if len(rows := batch[asked[batch] == one])
                ]  # fmt: skip
                for together in [parts] if name == "mixed" else [[part] for part in parts]:
                    predict(ours.backbone, together, dataclasses.replace(ours.budget))
            if ours.backbone.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
    return {name: times[1:] for name, times in seconds.items()}  # the first round is for warming up
