"""A sweep: many runs, trained in packs, on one device or on several, by one launch or by several at once.

Runs that have a record are skipped. Those that can share a batch are trained as lanes; a method that trains the
backbone goes one run at a time. Every run is claimed before it is trained (`ptuning.sweep.locks`), so that processes
that work on the same sweep share it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.records.record import Record
from ptuning.records.writer import to_stderr
from ptuning.sweep.devices import on_device
from ptuning.sweep.pool import WorkerPool
from ptuning.sweep.reports import Say, Tell
from ptuning.sweep.resume import finished, with_sources
from ptuning.sweep.worker import Worker


def launch(config: RunConfig) -> Record:
    """The record of one run: the one that is there, or else a new one. A failure leaves a failure record.

    Raises InputError where the record that is there cannot stand for the run, and whatever goes wrong with it.
    """
    outcome: list[Record | Exception] = []
    sweep([config], ["auto"], lambda _config, what, _new: outcome.append(what), to_stderr)
    last = outcome[-1]  # before it come the stages that it starts from
    if isinstance(last, Exception):
        raise last
    return last


def sweep(configs: Sequence[RunConfig], devices: Sequence[str], tell: Tell, say: Say) -> None:
    """Have a record for each of `configs`, or word of its failure: train on `devices` what is missing, and before it
    the stages that it starts from.

    `tell` hears of each run once, `say` of what else happens. Raises InputError for a record that cannot stand.
    """
    missing = []
    for config in with_sources(configs):
        found = finished(config)
        if found is None:
            missing.append(config)
        else:
            tell(config, found, False)
    if len(devices) > 1:
        WorkerPool(missing, devices, tell, say).work()
    else:
        Worker([on_device(config, devices[0]) for config in missing], 1, tell, say).work()
