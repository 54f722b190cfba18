"""One worker process a device, and what happens when one dies."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records import store
from ptuning.records.identity import run_id
from ptuning.records.record import Record
from ptuning.sweep.devices import on_device
from ptuning.sweep.reports import Say, Tell
from ptuning.sweep.worker import Worker

GRACE = 60.0  # seconds that workers have to end when the sweep is stopped


class WorkerPool:
    """One worker process a device, all of them on the same runs, and what happens when one dies."""

    def __init__(self, configs: Sequence[RunConfig], devices: Sequence[str], tell: Tell, say: Say) -> None:
        self.devices, self.tell, self.say = devices, tell, say
        self.open = {run_id(config): config for config in configs}
        self.suspects: set[str] = set()  # held by a worker that died: from then on trained alone
        self.context = multiprocessing.get_context("spawn")
        self.members: dict[Connection, _Member] = {}

    def work(self) -> None:
        for one in self.devices if self.open else ():
            self._start(one)
        try:
            while self.members:
                for ready in wait(list(self.members)):
                    assert isinstance(ready, Connection)
                    self._hear(ready)
        finally:
            for member in self.members.values():
                member.process.terminate()
            for member in self.members.values():
                member.process.join(GRACE)  # it puts away what it has finished and could not write
        for config in list(self.open.values()):
            self._close(config, InputError("no worker was left to train it: see above what ended them."))

    def _start(self, device: str) -> None:
        here, there = self.context.Pipe(duplex=False)
        runs = [on_device(config, device, progress=False) for config in self.open.values()]
        process = self.context.Process(
            target=_member, args=(there, runs, len(self.devices), sorted(self.suspects)), name=device, daemon=True
        )
        process.start()
        there.close()
        self.members[here] = _Member(device, process)

    def _hear(self, connection: Connection) -> None:
        member = self.members[connection]
        try:
            kind, what, more = connection.recv()
        except (EOFError, OSError):  # it ended, or was killed in the middle of a word
            member.process.join()
            del self.members[connection]
            if member.process.exitcode:
                self._bury(member)
            return
        if kind == "says":
            self.say(what)
        elif kind == "claims":
            member.holds.add(what)
        elif what in self.open:
            member.holds.discard(what)
            self._close(self.open[what], *more)

    def _bury(self, member: _Member) -> None:
        """Runs that a dead worker held go back to the others; one that was alone when it died is given up."""
        code, held = member.process.exitcode, member.holds & self.open.keys()
        self.say(
            f"the worker on {member.device} died (exit status {code}): "
            f"its {len(held)} unfinished run(s) go back to the queue"
        )
        if len(held) == 1 and held <= self.suspects:
            config = self.open[held.pop()]
            error = RuntimeError(f"the worker that trained it alone died with exit status {code}")
            with suppress(OSError):
                store.write_failure(config, error)
            self._close(config, error)
        elif not held:
            return  # it died before it had a run: it would die again
        self.suspects |= held
        if self.open:
            self._start(member.device)

    def _close(self, config: RunConfig, what: Record | Exception, new: bool = True) -> None:
        if self.open.pop(run_id(config), None) is not None:
            self.tell(config, what, new)


@dataclass
class _Member:
    device: str
    process: BaseProcess
    holds: set[str] = field(default_factory=set)  # ids of the runs it has claimed and not ended


def end_on_sigterm() -> None:
    """Let SIGTERM (a preempted job, a stopped sweep) end this process as Ctrl-C does, so that what is finished is
    written. For the main thread."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _plain(what: Record | Exception) -> Record | Exception:
    """What can be sent to another process: not every exception can be put together again there."""
    if isinstance(what, Exception) and not isinstance(what, InputError):
        return RuntimeError("".join(traceback.format_exception(what)))
    return what


def _member(report: Connection, configs: list[RunConfig], workers: int, alone: list[str]) -> None:
    """What a worker process does."""
    end_on_sigterm()
    if configs[0].runtime.device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    worker = Worker(
        configs,
        workers,
        tell=lambda config, what, new: report.send(("ended", run_id(config), (_plain(what), new))),
        say=lambda line: report.send(("says", line, None)),
        claimed=lambda config: report.send(("claims", run_id(config), None)),
        alone=alone,
    )
    worker.work()
