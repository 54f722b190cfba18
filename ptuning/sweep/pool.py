"""One worker process a device, and what happens when one dies."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.events import Event, Listener, Notice, RunEnded, RunFailed, RunStarted
from ptuning.sweep.worker import Worker

GRACE = 60.0  # seconds that workers have to end when the sweep is stopped


class WorkerPool:
    """One worker process a device, all of them on the same runs."""

    def __init__(self, runs: Sequence[Run], devices: Sequence[str], listener: Listener) -> None:
        self.devices, self.listener = devices, listener
        self.open = {run.id: run for run in runs}
        self.quarantined: set[str] = set()  # held by a worker that died: from then on trained alone
        self.context = multiprocessing.get_context("spawn")
        self.workers: dict[Connection, WorkerProcess] = {}

    def work(self) -> None:
        """Train until every run has ended, or no worker is left."""
        for device in self.devices if self.open else ():
            self._start(device)
        try:
            while self.workers:
                for ready in wait(list(self.workers)):
                    assert isinstance(ready, Connection)
                    self._receive(ready)
        finally:
            for worker in self.workers.values():
                worker.process.terminate()
            for worker in self.workers.values():
                worker.process.join(GRACE)  # it puts away what it has finished and could not write
        for run in list(self.open.values()):
            reason = "no worker was left to train it: see above what ended them."
            self._on_event(RunFailed(run.id, reason, reason))

    def _start(self, device: str) -> None:
        here, there = self.context.Pipe(duplex=False)
        runs = [run.on_device(device, progress=False) for run in self.open.values()]
        process = self.context.Process(
            target=_work, args=(there, runs, len(self.devices), sorted(self.quarantined)), name=device, daemon=True
        )
        process.start()
        there.close()
        self.workers[here] = WorkerProcess(device, process)

    def _receive(self, connection: Connection) -> None:
        worker = self.workers[connection]
        try:
            event: Event = connection.recv()
        except (EOFError, OSError):  # it ended, or was killed in the middle of an event
            worker.process.join()
            del self.workers[connection]
            if worker.process.exitcode:
                self._on_worker_death(worker)
            return
        if isinstance(event, RunStarted):
            worker.held.add(event.run_id)
        elif isinstance(event, RunEnded | RunFailed):
            worker.held.discard(event.run_id)
        self._on_event(event)

    def _on_event(self, event: Event) -> None:
        """Pass it on; of a run that several workers see to have ended only once."""
        if isinstance(event, RunEnded | RunFailed) and self.open.pop(event.run_id, None) is None:
            return
        self.listener(event)

    def _on_worker_death(self, worker: WorkerProcess) -> None:
        """Runs that a dead worker held go back to the others; one that was alone when it died is given up."""
        code, held = worker.process.exitcode, worker.held & self.open.keys()
        self.listener(
            Notice(
                f"the worker on {worker.device} died (exit status {code}): "
                f"its {len(held)} unfinished run(s) go back to the queue"
            )
        )
        if len(held) == 1 and held <= self.quarantined:
            run = self.open[held.pop()]
            reason = f"the worker that trained it alone died with exit status {code}"
            with suppress(OSError):
                store.write_failure(run.config, reason)
            self._on_event(RunFailed(run.id, reason))
        elif not held:
            return  # it died before it had a run: it would die again
        self.quarantined |= held
        if self.open:
            self._start(worker.device)


@dataclass
class WorkerProcess:
    """A worker as the pool sees it."""

    device: str
    process: BaseProcess
    held: set[str] = field(default_factory=set)  # ids of the runs it has started and not ended


def end_on_sigterm() -> None:
    """Let SIGTERM (a preempted job, a stopped sweep) end this process as Ctrl-C does, so that what is finished is
    written. For the main thread."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _work(events: Connection, runs: list[Run], workers: int, quarantined: list[str]) -> None:
    """What a worker process does."""
    end_on_sigterm()
    if runs[0].config.runtime.device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    Worker(runs, workers, events.send, quarantined).work()
