"""One worker process a device, and what happens when one dies."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.events import Event, Listener, Notice, RunEnded, RunFailed, RunStarted
from ptuning.records.writer import to_stderr
from ptuning.sweep.stopping import end_on_signals
from ptuning.sweep.worker import Worker

START = "spawn"  # how workers begin: CUDA does not outlive a fork
GRACE = 60.0  # seconds that workers have to end when the sweep is stopped


class WorkerPool:
    """One worker process a device, all of them on the same runs."""

    def __init__(self, runs: Sequence[Run], devices: Sequence[str], listener: Listener) -> None:
        self.devices, self.listener = devices, listener
        self.open = {run.id: run for run in runs}
        self.quarantined: set[str] = set()  # held by a worker that died: from then on trained alone
        self.context = multiprocessing.get_context(START)
        self.workers: dict[Connection, WorkerProcess] = {}

    def work(self) -> None:
        """Train until every run has ended, or no worker is left."""
        try:
            for device in self.devices if self.open else ():
                self._start(device)
            while self.workers:
                for ended in self._listen():
                    if ended.process.exitcode:
                        self._on_worker_death(ended)
        finally:
            self._end_workers()
        for run in list(self.open.values()):
            reason = "no worker was left to train it: see above what ended them."
            self._on_event(RunFailed(run.id, reason, reason, refused=True))

    def _start(self, device: str) -> None:
        here, there = self.context.Pipe(duplex=False)
        runs = [run.on_device(device, progress=False) for run in self.open.values()]
        process = self.context.Process(  # type: ignore[attr-defined]  # all contexts have it
            target=_work, args=(there, runs, len(self.devices), sorted(self.quarantined)), name=device, daemon=True
        )
        with _interrupts_held_back():  # Ctrl-C goes to all processes of a terminal: workers end when told to
            process.start()
            self.workers[here] = WorkerProcess(device, process)
        there.close()

    def _listen(self, seconds: float | None = None) -> list[WorkerProcess]:
        """Pass on what workers say next; those that turn out to have ended."""
        ended = []
        for ready in wait(list(self.workers), seconds):
            assert isinstance(ready, Connection)
            worker = self.workers[ready]
            try:
                event: Event = ready.recv()
            except (EOFError, OSError):  # it ended, or was killed in the middle of an event
                worker.process.join()
                del self.workers[ready]
                ended.append(worker)
            else:
                worker.note(event)
                self._on_event(event)
        return ended

    def _on_event(self, event: Event) -> None:
        """Pass it on; of a run that several workers see to have ended only once."""
        if isinstance(event, RunEnded | RunFailed) and self.open.pop(event.run_id, None) is None:
            return
        self.listener(event)

    def _on_worker_death(self, worker: WorkerProcess) -> None:
        """Runs that a dead worker held go back to the others; one that was alone when it died is given up."""
        held = [run for run in self.open.values() if run.id in worker.held]
        how = _how_it_ended(worker.process.exitcode)
        if not held:  # it would die again
            self.listener(Notice(f"the worker on {worker.device} {how} before it had begun a run: it is left out"))
            return
        if len(held) == 1 and held[0].id in self.quarantined:
            self._give_up(held[0], f"the worker that trained it alone {how}")
        else:
            names = ", ".join(run.name for run in held)
            what = f"its runs are begun anew, from now on each alone: {names}"
            self.listener(Notice(f"the worker on {worker.device} {how}: {what}"))
        self.quarantined |= {run.id for run in held}
        if self.open:
            self._start(worker.device)

    def _give_up(self, run: Run, reason: str) -> None:
        with suppress(OSError):
            store.write_failure(run.config, reason, reason)
        self._on_event(RunFailed(run.id, reason, reason))

    def _end_workers(self) -> None:
        """End those that are left. They put away what they have finished; what they have to say of it is passed on."""
        for worker in self.workers.values():
            worker.process.terminate()
        end = time.monotonic() + GRACE
        while self.workers and (left := end - time.monotonic()) > 0:
            self._listen(left)
        for worker in self.workers.values():
            worker.process.kill()
            worker.process.join()


@dataclass
class WorkerProcess:
    """A worker as the pool sees it."""

    device: str
    process: BaseProcess
    held: set[str] = field(default_factory=set)  # ids of the runs it has started and not ended

    def note(self, event: Event) -> None:
        """Keep which runs the worker has begun and not ended."""
        if isinstance(event, RunStarted):
            self.held.add(event.run_id)
        elif isinstance(event, RunEnded | RunFailed):
            self.held.discard(event.run_id)


def _how_it_ended(status: int | None) -> str:
    if status is None or status >= 0:
        return f"ended with exit status {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}{' (as a system out of memory does)' if name == 'SIGKILL' else ''}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C comes when this is over; a process that is started meanwhile never hears of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(events: Connection, runs: list[Run], workers: int, quarantined: list[str]) -> None:
    """What a worker process does."""
    end_on_signals()
    threading.Thread(target=_end_with_the_pool, daemon=True).start()
    if runs[0].config.runtime.device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    notify = partial(_send, events)
    try:
        Worker(runs, workers, notify, quarantined).work()
    except Exception as error:
        trace = "".join(traceback.format_exception(error, chain=False))
        notify(Notice(f"the worker on {runs[0].config.runtime.device} cannot go on: {trace.rstrip()}"))
        sys.exit(1)


def _end_with_the_pool() -> None:
    """A worker whose pool was killed would hold its runs' locks for nothing."""
    pool = multiprocessing.parent_process()
    assert pool is not None
    pool.join()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _send(events: Connection, event: Event) -> None:
    try:
        events.send(event)
    except OSError:  # the pool is gone, and this process is about to end
        if isinstance(event, Notice):
            to_stderr(event.text)
