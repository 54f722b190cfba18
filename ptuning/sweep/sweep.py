"""A sweep: many runs, trained in packs, on one device or on several, by one launch or by several at once.

Runs that have a record are skipped. Those that can share a backbone are trained as its lanes; a method that trains
the backbone goes one run at a time. Every run is locked before it is trained (`ptuning.sweep.locks`), so that
processes that work on the same sweep share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ptuning.config import RunConfig
from ptuning.files import remove_abandoned
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.events import Event, Listener, Notice, RunEnded, RunFailed
from ptuning.records.record import Record
from ptuning.records.writer import to_stderr
from ptuning.sweep.pool import WorkerPool
from ptuning.sweep.resume import finished, with_sources
from ptuning.sweep.stopping import FirstFailure
from ptuning.sweep.worker import Worker


def launch(config: RunConfig) -> Record:
    """The record of one run: the one that is there, or else a new one. A failure leaves a failure record.

    Raises InputError where the record that is there cannot stand for the run, and whatever goes wrong with it.
    """
    outcomes: list[RunEnded | RunFailed] = []

    def keep(event: Event) -> None:
        if isinstance(event, RunEnded | RunFailed):
            outcomes.append(event)
        if isinstance(event, Notice):
            to_stderr(event.text)

    with suppress(FirstFailure):  # it is raised below
        sweep([config], ["auto"], keep)
    for outcome in outcomes:
        if isinstance(outcome, RunFailed):  # of what it starts from, where that failed before it
            outcome.raise_error()
    *_, last = outcomes  # before it come the runs that it starts from
    assert isinstance(last, RunEnded)
    return last.record


def sweep(configs: Sequence[RunConfig], devices: Sequence[str], listener: Listener) -> None:
    """Have a record for each of `configs`, or word of its failure: train on `devices` what is missing, and before it
    the runs that it starts from.

    `listener` hears once how each run ends. Raises InputError for a record that cannot stand, and `FirstFailure` at
    the first of a run that says `runtime.fail_fast`.
    """
    _remove_abandoned(configs)
    listener = _failing_fast(configs, listener)
    missing = []
    for run in map(Run.parse, with_sources(configs)):
        record = finished(run.config)
        if record is None:
            missing.append(run)
        else:
            listener(RunEnded(run.id, record, found=True))
    if len(devices) > 1:
        WorkerPool(missing, devices, listener).work()
    else:
        Worker([run.on_device(devices[0]) for run in missing], 1, listener).work()


def _remove_abandoned(configs: Sequence[RunConfig]) -> None:
    """Remove parts of files that processes left which were killed as they wrote them."""
    folders: dict[Path, None] = {}
    for config in configs:
        weights = config.runtime.weights
        folders |= dict.fromkeys([store.folder(config), weights, weights / "steps"])
    for folder in folders:
        remove_abandoned(folder)


def _failing_fast(configs: Sequence[RunConfig], listener: Listener) -> Listener:
    """`listener`, which raises `Stopped` after the first failure where that is to end the sweep."""
    if not any(config.runtime.fail_fast for config in configs):
        return listener
    failed: list[RunFailed] = []

    def listen(event: Event) -> None:
        listener(event)
        if isinstance(event, RunFailed):
            failed.append(event)
            if len(failed) == 1:  # others may fail while workers end
                raise FirstFailure

    return listen
