"""One process's part in a sweep: it locks runs, trains them in packs, and says how each ends."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import torch

from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import store, weights
from ptuning.records.events import Event, Listener, Notice, RunEnded, RunFailed, one_line, to_all
from ptuning.records.wandb_log import WandbLogger
from ptuning.records.writer import RecordWriter
from ptuning.run import train_pack
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.packing import packs
from ptuning.sweep.resume import finished

POLL = 2.0  # seconds between looks at runs that another process trains


class Worker:
    """`workers` processes, this one among them, share `runs`; those whose ids are `quarantined` get a pack to
    themselves; `listener` hears of all that happens here, and how every run ends."""

    def __init__(self, runs: Sequence[Run], workers: int, listener: Listener, quarantined: Sequence[str] = ()) -> None:
        self.workers, self.quarantined = workers, set(quarantined)
        self.notify = to_all([self._on_event, listener, WandbLogger()])
        self.writer = RecordWriter(lambda text: self.notify(Notice(text)))
        self.locks = RunLocks()
        self.began = time.time()
        self.open = {run.id: run for run in runs}  # those that have not ended, here or elsewhere
        self.held: dict[str, Run] = {}  # those of them that this process has locked

    def work(self) -> None:
        """Train until every run has ended, here or in another process."""
        waiting = False
        try:
            while self.open:
                before = len(self.open)
                for pack in self._packs():
                    self._train(pack)
                if len(self.open) == before:
                    if not waiting:
                        self.notify(Notice(f"{before} run(s) are being trained by another process: waiting for them"))
                        waiting = True
                    time.sleep(POLL)
        finally:
            self.writer.close()
            self.locks.release_all()

    def _packs(self) -> list[list[Run]]:
        runs = list(self.open.values())
        shared = [run for run in runs if run.id not in self.quarantined]
        return packs(shared) + [[run] for run in runs if run.id in self.quarantined]

    def _train(self, pack: list[Run]) -> None:
        queue = RunQueue(self, pack)
        try:
            train_pack(queue.next_run, len(pack), self.writer, self.notify)
        except torch.AcceleratorError:
            raise  # the device is of no use to this process any more: the runs go back
        except InputError as error:  # the backbone cannot be had
            failed = list(self.held.values())
            while (run := queue.next_run()) is not None:
                failed.append(run)
            for run in failed:
                self.notify(RunFailed.of(run.id, error))
        except Exception as error:
            if not self.held:
                raise
            for run in list(self.held.values()):
                self.notify(RunFailed.of(run.id, error))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, RunFailed) and not event.found:
            self._write_failure(self.open[event.run_id], event)
        if isinstance(event, RunEnded | RunFailed):
            run = self.open.pop(event.run_id)
            self.held.pop(event.run_id, None)
            if not self.writer.is_waiting(run):  # else nobody shall train it while its record waits to be written
                self.locks.release(run)

    def _write_failure(self, run: Run, failure: RunFailed) -> None:
        try:
            store.write_failure(run.config, failure.reason, failure.trace)
        except Exception as problem:  # of the disk, or of what is to be written: the run has failed, that is all
            self.notify(Notice(f"{store.failure_path(run.config)} cannot be written: {one_line(problem)}"))

    def has_ended(self, run: Run) -> bool:
        """Whether the run has ended in another process, which this one then says: with a record, or, since this one
        began, with a failure. Raises InputError for a record that cannot stand for the run."""
        record = finished(run.config)
        if record is not None:
            self.notify(RunEnded(run.id, record, found=True))
            return True
        failure = store.failure_path(run.config)
        with suppress(FileNotFoundError):
            if failure.stat().st_mtime > self.began:
                reason = f"another process failed at it, see {failure}."
                self.notify(RunFailed(run.id, reason, reason, refused=True, found=True))
                return True
        return False


class RunQueue:
    """The runs of a pack that nobody has, locked one by one. It may have none now and one later: a worker among
    several takes no more than its share at a time."""

    def __init__(self, worker: Worker, pack: Sequence[Run]) -> None:
        self.worker = worker
        self.left = deque(pack)  # those that have not ended and are not held here

    def next_run(self) -> Run | None:
        """A run that is locked now, and to be trained here; None where there is none at the moment."""
        held = len(self.worker.held)
        if held >= math.ceil((held + len(self.left)) / self.worker.workers):
            return None
        for _ in range(len(self.left)):
            run = self.left.popleft()
            if self._acquire(run):
                return run
            if run.id in self.worker.open:
                self.left.append(run)  # so that the next look begins with others
        return None

    def _acquire(self, run: Run) -> bool:
        """Lock a run that can start and has not ended elsewhere; one that cannot be locked or read fails."""
        worker = self.worker
        if any(source.id in worker.open for source in run.sources):
            return False
        try:
            if not worker.locks.acquire(run):
                return False
            worker.held[run.id] = run
            if worker.has_ended(run):  # before it was locked: nobody else ends it now
                return False
            _check_sources(run)
        except InputError as error:
            worker.notify(RunFailed.of(run.id, error))
            return False
        return True


def _check_sources(run: Run) -> None:
    """Raise InputError where a run that this one starts from, and that is through, has left no prompt."""
    for source in run.config.source_runs:
        weights.source_file(source, run.config.runtime)
