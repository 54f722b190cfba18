"""Weights & Biases as a mirror of runs: nothing is read back from it, and its failure never harms a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ptuning.records import store
from ptuning.records.identity import run_id, run_name
from ptuning.training.lanes import Epoch, Lane


class WandbLogger:
    """Sends each lane's epochs to W&B; `mode` is offline, online or disabled."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.runs: dict[str, Any] = {}

    def begin(self, lane: Lane) -> None:
        if self.mode != "disabled":
            self._safely(lambda: self._begin(lane))

    def _begin(self, lane: Lane) -> None:
        import wandb

        runtime = lane.config.runtime
        self.runs[run_id(lane.config)] = wandb.init(
            project=runtime.wandb_project,
            name=run_name(lane.config),
            group=f"{lane.config.task.name}-{lane.config.backbone.name}",
            config=store.dump(lane.config),
            mode=self.mode,  # type: ignore[arg-type]
            dir=str(runtime.weights.parent),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
        )

    def epoch_ended(self, lane: Lane, epoch: Epoch) -> None:
        sets = {"dev": epoch.dev, **epoch.tests}
        scores = {f"{name}/{key}": value for name, found in sets.items() for key, value in found.items()}
        self._with(lane, lambda run: run.log({"epoch": epoch.epoch, "loss": epoch.loss, **scores}))

    def lane_ended(self, lane: Lane) -> None:
        self._with(lane, lambda run: (run.summary.update({"status": lane.status}), run.finish()))
        self.runs.pop(run_id(lane.config), None)

    def abandon(self) -> None:
        """Close what is still open after a failure."""
        self._safely(lambda: [run.finish(exit_code=1) for run in self.runs.values()])
        self.runs.clear()

    def _with(self, lane: Lane, act: Callable[[Any], object]) -> None:
        run = self.runs.get(run_id(lane.config))
        if run is not None:
            self._safely(lambda: act(run))

    def _safely(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # whatever W&B raises, the run goes on
            warnings.warn(f"W&B is left out of this session: {error}", stacklevel=2)
            self.mode = "disabled"
            self.runs.clear()
