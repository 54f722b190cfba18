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
from omegaconf import DictConfig, OmegaConf

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
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Each job's return value is its score, None for a failed or diverged run: a sweeper may optimize it."""
        setup_globals()
        devices = self._devices_here()
        composed = self._compose(job_overrides)
        runs = [compose.read(config) for config in composed]
        unique = list({run_id(run): run for run in runs}.values())
        scores: dict[str, float | None] = {}

        def keep_score(event: Event) -> None:
            if isinstance(event, RunEnded):
                scores[event.run_id] = event.record["score"]

        try:
            sweep(unique, devices, to_all([keep_score, Progress(with_sources(unique))]))
        except InputError as error:
            sys.exit(f"error: {error}")
        return [
            _job_return(overrides, config, scores.get(run_id(run)))
            for overrides, config, run in zip(job_overrides, composed, runs, strict=True)
        ]

    def _devices_here(self) -> list[str]:
        """Ends the launch, of which nothing is begun yet, where one is not."""
        try:
            return worker_devices(self.devices)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)

    def _compose(self, job_overrides: Sequence[Sequence[str]]) -> list[DictConfig]:
        """As Hydra's own launchers do for each job anew, which takes ten times as long."""
        files = compose.FileChoices()
        composed = [files.compose(list(overrides)) for overrides in job_overrides]
        for config in composed:
            OmegaConf.copy_cache(from_config=self.config, to_config=config)  # one `now` for all
        return composed


def _job_return(overrides: Sequence[str], config: DictConfig, score: float | None) -> JobReturn:
    result = JobReturn(overrides=overrides, cfg=config, task_name="run", status=JobStatus.COMPLETED)
    result.return_value = score
    return result
