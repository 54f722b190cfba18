"""Train one run, or with `-m` a sweep of them.

    python -m experiments.run task=rte backbone=minilm_l6 method=p_tuning_v2 prompt.layers=4-6 seed=1
    python -m experiments.run -m method=prompt_tuning,p_tuning_v2 task=cb seed=1,2,3
    python -m experiments.run -m experiment=table2 profile=laptop

Prints each run's score and its record's path. What has a record is not run again.
"""

from __future__ import annotations

import sys
import time
import traceback

import hydra
from omegaconf import DictConfig

from ptuning import launch, records
from ptuning.config import RunConfig
from ptuning.errors import InputError


class Sweep:
    """How far this process is with what it was asked for."""

    def __init__(self) -> None:
        self.total = self.ended = self.trained = 0
        self.began = time.monotonic()

    def expect(self, runs: int) -> None:
        self.total = runs

    def line(self, what: str) -> str:
        """`what`, with its place in the sweep and an estimate of the time left."""
        if self.total <= 1:
            return what
        left = (time.monotonic() - self.began) / max(1, self.trained) * (self.total - self.ended)
        estimate = f", about {left / 60:.0f} min left" if self.trained and self.ended < self.total else ""
        return f"[{self.ended}/{self.total}{estimate}] {what}"


_sweep = Sweep()


@hydra.main(config_path=str(launch.CONF), config_name="config", version_base="1.3")
def job(composed: DictConfig) -> float | None:
    """One run; a failed one is told of and does not stop the others of a sweep."""
    config = launch.read(composed)
    _sweep.ended += 1
    try:
        new = not launch.done(config)
        _sweep.trained += new
        record = launch.launch(config)
    except InputError as error:
        _fail(config, str(error))
        return None
    except Exception:
        _fail(config, traceback.format_exc())
        return None
    print(_sweep.line(told(config, record, new)), flush=True)
    return record["score"]


def told(config: RunConfig, record: records.Record, new: bool) -> str:
    """One line on a finished run."""
    name = f"{config.task.name:8} {config.backbone.name:10} {config.method:13} seed {config.seed}"
    place = f"{records.path(config)}" + ("" if new else " (already there)")
    chosen = records.chosen(record, config.selection)
    if chosen is None:
        return f"{name}  {record['status']}  {place}"
    epoch, score = chosen
    how = f"epoch {epoch}, {config.selection}, {record['data']['source']} data"
    return f"{name}  dev {record['metric']} {score:.1f} ({how})  {place}"


def _fail(config: RunConfig, why: str) -> None:
    print(_sweep.line(f"{records.name(config)} failed: {why}"), file=sys.stderr, flush=True)


def main() -> None:
    """Check everything that was asked for, then let Hydra run what is missing."""
    if {"-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i"} & set(sys.argv):
        job()
        return
    try:
        runs = launch.expand([argument for argument in sys.argv[1:] if not argument.startswith("-")])
        already = [launch.done(run) for run in runs]
        if len(runs) > 1 and all(already):
            print(f"all {len(runs)} runs are already there: nothing to train")
            return
    except InputError as error:
        sys.exit(f"error: {error}")
    _sweep.expect(len(runs))
    job()
    # Asked of the records, since a launcher may have run the jobs in other processes.
    if failed := sum(not records.path(run).exists() for run in runs):
        summary = f"{failed} run(s) failed; see the .failed.json beside the records; they run again next time."
        sys.exit(summary if len(runs) > 1 else 1)


if __name__ == "__main__":
    main()
