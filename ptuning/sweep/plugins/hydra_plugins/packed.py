"""Hydra's launcher for our sweeps (`hydra/launcher=packed`): all jobs of a multirun go into one sweep.

Hydra loads launchers only from a package of this name, which `ptuning.launch.compose` puts on its path.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from ptuning.devices import worker_devices
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records.events import Event, RunEnded, to_all
from ptuning.records.identity import run_id
from ptuning.sweep.progress import Progress
from ptuning.sweep.resume import with_sources
from ptuning.sweep.sweep import sweep


class PackedLauncher(Launcher):
    """Trains a multirun's jobs in packs; `devices`: auto, or a list such as [cuda:0,cuda:1], a worker process each."""

    def __init__(self, devices: Any) -> None:
        self.devices = devices

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's config says nothing that jobs do not say themselves."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Each job's return value is its score, None for a failed or diverged run: a sweeper may optimize it."""
        setup_globals()
        devices = self._devices_here()
        scores: dict[str, float | None] = {}

        def keep_score(event: Event) -> None:
            if isinstance(event, RunEnded):
                scores[event.run_id] = event.record["score"]

        try:
            runs = compose.runs_of(job_overrides)
            unique = list({run_id(run): run for run in runs}.values())
            sweep(unique, devices, to_all([keep_score, Progress(with_sources(unique))]))
        except InputError as error:
            sys.exit(f"error: {error}")
        return [
            _job_return(overrides, scores.get(run_id(run))) for overrides, run in zip(job_overrides, runs, strict=True)
        ]

    def _devices_here(self) -> list[str]:
        """Ends the launch, of which nothing is begun yet, where one is not."""
        try:
            return worker_devices(self.devices)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)


def _job_return(overrides: Sequence[str], score: float | None) -> JobReturn:
    result = JobReturn(overrides=overrides, task_name="run", status=JobStatus.COMPLETED)
    result.return_value = score
    return result
