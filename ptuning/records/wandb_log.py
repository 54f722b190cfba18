"""Weights & Biases as a mirror of runs: nothing is read back from it, and its failure never harms a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ptuning.records import store
from ptuning.records.events import Evaluated, Event, RunEnded, RunFailed, RunStarted
from ptuning.training.lanes import HistoryLine


class WandbLogger:
    """A listener that sends each run's evaluations to W&B, as its `runtime.wandb` says (offline, online, disabled)."""

    def __init__(self) -> None:
        self.off = False  # for good, once W&B has failed
        self.runs: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and not self.off and event.config.runtime.wandb != "disabled":
            self._safely(lambda: self._start(event))
        if isinstance(event, Evaluated):
            self._with_run(event.run_id, lambda run: run.log(_logged(event.line)))
        if isinstance(event, RunEnded):
            self._with_run(event.run_id, lambda run: _finish(run, event.record["status"]))
        if isinstance(event, RunFailed):
            self._with_run(event.run_id, lambda run: _finish(run, "failed"))
        if isinstance(event, RunEnded | RunFailed):
            self.runs.pop(event.run_id, None)

    def close(self) -> None:
        """Close what is still open after a failure."""
        self._safely(lambda: [run.finish(exit_code=1) for run in self.runs.values()])
        self.runs.clear()

    def _start(self, event: RunStarted) -> None:
        import wandb

        config = event.config
        self.runs[event.run_id] = wandb.init(
            project=config.runtime.wandb_project,
            name=event.name,
            group=f"{config.task.name}-{config.backbone.name}",
            config=store.dump(config),
            mode=config.runtime.wandb,
            dir=str(config.runtime.weights.parent),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
        )

    def _with_run(self, run_id: str, act: Callable[[Any], object]) -> None:
        run = self.runs.get(run_id)
        if run is not None:
            self._safely(lambda: act(run))

    def _safely(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # whatever W&B raises, the run goes on
            warnings.warn(f"W&B is left out of this session: {error}", stacklevel=2)
            self.off = True
            self.runs.clear()


def _logged(line: HistoryLine) -> dict[str, float]:
    """A line of history with a key for each score."""
    sets = {"dev": line.dev, **line.tests}
    scores = {f"{name}/{key}": value for name, found in sets.items() for key, value in found.items()}
    return {"epoch": line.epoch, **({} if line.loss is None else {"loss": line.loss}), **scores}


def _finish(run: Any, status: str) -> None:
    run.summary.update({"status": status})
    run.finish()
