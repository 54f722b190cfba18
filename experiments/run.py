"""Train one run, or with `-m` a sweep of them.

    python -m experiments.run task=rte backbone=minilm_l6 method=p_tuning_v2 prompt.layers=4-6 seed=1
    python -m experiments.run -m method=prompt_tuning,p_tuning_v2 task=cb seed=1,2,3
    python -m experiments.run -m experiment=p_tuning_v2/table2 profile=laptop

Prints each run's score and its record's path, and at the end again which runs failed. Exits with 1 where runs failed,
with 2 where nothing was begun, because something asked for is wrong, and with 130 after Ctrl-C. What has a record is
not run again. Runs of a sweep that share a backbone are trained together (`hydra/launcher=packed`, the default); any
other Hydra launcher takes them one by one.
"""

from __future__ import annotations

import sys

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.run")

from experiments.output import escape_unprintable
from ptuning.sweep.stopping import FirstFailure, Stopped, end_at_once, end_on_signals

if __name__ == "__main__":  # the imports take seconds
    end_at_once()

import time

import hydra
from omegaconf import DictConfig

import ptuning
from experiments import sweep_table, usage
from ptuning.analysis.sweep_table import Entry, SweepTable
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import arguments, compose, preconditions
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.events import Event, RunEnded, RunFailed
from ptuning.records.settings import settings
from ptuning.records.wandb_log import WandbLogger
from ptuning.records.writer import to_stderr
from ptuning.sweep import ending
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.progress import Progress
from ptuning.sweep.resume import done, with_sources
from ptuning.sweep.sweep import sweep

MOST_ROWS = 40  # of a table that is printed at the end
_progress: list[Progress] = []  # of all that was asked for; none where a launcher runs a job in another process


@hydra.main(config_path=str(compose.CONF), config_name="config", version_base="1.3")
def job(composed: DictConfig) -> float | None:
    """One run; a failed one is told of and does not stop the others of a sweep."""
    scores = []
    try:
        config = compose.read(composed)
        (progress,) = _progress or [Progress(with_sources([config]))]

        def listen(event: Event) -> None:
            progress(event)
            if isinstance(event, RunEnded | RunFailed):
                scores.append(event.record["score"] if isinstance(event, RunEnded) else None)

        sweep([config], ["auto"], listen)
    except InputError as error:
        sys.exit(f"error: {error}")
    return scores[-1]  # before it come those of the runs that it starts from


def main() -> None:
    """Check everything that was asked for, then let Hydra run what is missing."""
    escape_unprintable()
    if {"-h", "--help"} & set(sys.argv):
        print(usage.text())
        return
    if "--version" in sys.argv:
        print(f"ptuning {ptuning.__version__}")
        return
    try:
        sys.argv[1:] = arguments.read(sys.argv[1:])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    if {"--hydra-help", "--cfg", "-c", "--info", "-i"} & set(sys.argv):
        job()
        return
    sys.argv[1:] = sorted(sys.argv[1:], key=_is_override)  # Hydra refuses a flag that stands between overrides
    end_on_signals()
    began, runs, asked = time.time(), list[RunConfig](), list[RunConfig]()
    overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    try:
        asked += compose.expand(overrides)
        runs += with_sources(asked)
        _launch(runs)
        _say_table(asked)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except Stopped as stop:
        if isinstance(stop, FirstFailure):
            _say_failures(runs, began, overrides)
        to_stderr(f"{stop.why}: {ending.kept(runs, _missing(runs))}")
        sys.exit(stop.code)
    if missing := _missing(runs):
        _say_failures(runs, began, overrides)
        summary = f"{len(missing)} run(s) have no record; they run again next time."
        sys.exit(summary if len(runs) > 1 else 1)


def _launch(runs: list[RunConfig]) -> None:
    """Train what is missing. Raises InputError before anything is begun."""
    already = [done(run) for run in runs]
    if len(runs) > 1 and all(already):
        print(f"all {len(runs)} runs are already there: nothing to train")
        return
    preconditions.check(run for run, there in zip(runs, already, strict=True) if not there)
    RunLocks.check(Run.parse(runs[0]))
    _progress[:] = [Progress(runs)]
    job()


def _say_table(runs: list[RunConfig]) -> None:
    """What a sweep has come to, over its seeds."""
    entries = [Entry(settings(store.dump(run)), store.find(run)) for run in runs]
    if len(runs) < 2 or all(entry.record is None for entry in entries):
        return
    by = sweep_table.rows_of(entries)
    table = SweepTable(entries, by, runs[0].selection)
    if len(table.rows) > MOST_ROWS:
        print(f"{len(table.rows)} settings of {', '.join(by)}: python -m experiments.sweep_table shows some of them")
        return
    try:
        said = sweep_table.text(table)
    except InputError as error:  # the runs are trained, and cannot all be in one table
        to_stderr(f"no table: {error}")
        return
    print(f"\n{said}", end="")
    files = {"table.md": said, "table.csv": table.long_form().to_csv(index=False)}
    WandbLogger().send_table(runs[0].runtime, files)


def _missing(runs: list[RunConfig]) -> list[RunConfig]:
    """Those without a record: a launcher may have run the jobs in other processes."""
    return [run for run in runs if not store.path(run).exists()]


def _say_failures(runs: list[RunConfig], began: float, overrides: list[str]) -> None:
    for line in ending.failures(runs, began, overrides) if len(runs) > 1 else ():
        to_stderr(line)


def _is_override(argument: str) -> bool:
    return not argument.startswith("-") and ("=" in argument or argument.startswith("~"))


if __name__ == "__main__":
    main()
