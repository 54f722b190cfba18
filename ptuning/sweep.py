"""A sweep: many runs, trained in packs, on one device or on several, by one launch or by several at once.

Runs that have a record are skipped. Those that can share a batch are trained as lanes; a method that trains the
backbone goes one run at a time. Every run is claimed before it is trained (`ptuning.claims`), so that processes that
work on the same sweep share it.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
from tqdm.auto import tqdm

from ptuning import records, weights
from ptuning.claims import Claims
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import finished, lineage
from ptuning.outbox import to_stderr
from ptuning.records import Record
from ptuning.run import Keeper, device, shared, trains_backbone, work

POLL = 2.0  # seconds between looks at runs that another process trains
GRACE = 60.0  # seconds that workers have to end when the sweep is stopped

Tell = Callable[[RunConfig, Record | Exception, bool], None]  # a run, how it ended, and whether that is new
Say = Callable[[str], None]


class Progress:
    """Prints a line a run, with its place in the sweep and an estimate of the time left."""

    def __init__(self, total: int) -> None:
        self.total, self.ended, self.trained = total, 0, 0
        self.began = time.monotonic()

    def tell(self, config: RunConfig, what: Record | Exception, new: bool) -> None:
        self.ended += 1
        self.trained += new
        if isinstance(what, Exception):
            why = str(what) if isinstance(what, InputError) else "".join(traceback.format_exception(what))
            self.say(f"{self._place()}{records.name(config)} failed: {why}")
        else:
            tqdm.write(self._place() + told(config, what, new), file=sys.stdout)
            sys.stdout.flush()

    def say(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def _place(self) -> str:
        if self.total <= 1:
            return ""
        left = (time.monotonic() - self.began) / max(1, self.trained) * (self.total - self.ended)
        estimate = f", about {left / 60:.0f} min left" if self.trained and self.ended < self.total else ""
        return f"[{self.ended}/{self.total}{estimate}] "


def told(config: RunConfig, record: Record, new: bool) -> str:
    """One line on a finished run."""
    name = f"{config.task.name:8} {config.backbone.name:10} {config.method:13} seed {config.seed}"
    place = f"{records.path(config)}" + ("" if new else " (already there)")
    chosen = records.chosen(record, config.selection)
    if chosen is None:
        return f"{name}  {record['status']}  {place}"
    epoch, score = chosen
    how = f"epoch {epoch}, {config.selection}, {record['data']['source']} data"
    tests = next(one for one in record["history"] if one["epoch"] == epoch).get("tests", {})
    metric = record["metric"]
    scores = [f"dev {metric} {score:.1f}", *(f"{split} {found[metric]:.1f}" for split, found in tests.items())]
    return f"{name}  {', '.join(scores)} ({how})  {place}"


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
    for config in lineage(configs):
        found = finished(config)
        if found is None:
            missing.append(config)
        else:
            tell(config, found, False)
    if len(devices) > 1:
        _Crew(missing, devices, tell, say).work()
    else:
        Worker([_on(config, devices[0]) for config in missing], 1, tell, say).work()


def devices(wanted: str | Sequence[str]) -> list[str]:
    """The devices to work on, one worker process each: `auto` is every GPU here, or the CPU. Raises InputError."""
    if wanted != "auto":
        chosen = [wanted] if isinstance(wanted, str) else list(wanted)
        for one in chosen:
            device(one)
        return chosen
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def _on(config: RunConfig, device: str, **runtime: bool) -> RunConfig:
    """The run on `device`, unless it says itself where it wants to be, and with other `runtime` keys as given."""
    where = device if config.runtime.device == "auto" else config.runtime.device
    return config.model_copy(update={"runtime": config.runtime.model_copy(update={"device": where, **runtime})})


def groups(configs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Runs that can share a batch, those with the same first prompted layer next to each other."""
    found: dict[str, list[RunConfig]] = {}
    for config in configs:
        alone = records.run_id(config) if trains_backbone(config) else ""
        found.setdefault(alone + shared(config), []).append(config)
    return [sorted(group, key=_depth) for group in found.values()]


def _depth(config: RunConfig) -> str:
    return str((config.prompt or {}).get("layers", ""))


class Worker(Keeper):
    """One process's part in a sweep."""

    def __init__(
        self,
        configs: Sequence[RunConfig],
        workers: int,
        tell: Tell,
        say: Say,
        claimed: Callable[[RunConfig], None] = lambda config: None,
        alone: Sequence[str] = (),
    ) -> None:
        """`workers` processes share `configs`; `claimed` hears of each run that this one takes; those whose ids are in
        `alone` get a batch to themselves."""
        super().__init__()
        self.outbox.tell = say
        self.workers, self.tell, self.say, self.alone = workers, tell, say, set(alone)
        self.claimed, self.claims = claimed, Claims()
        self.began = time.time()
        self.open = {records.run_id(config): config for config in configs}

    def work(self) -> None:
        """Train until every run has ended, here or in another process."""
        try:
            said = False
            while self.open:
                before = len(self.open)
                for group in self._packs():
                    self._train(group)
                if len(self.open) == before:
                    if not said:
                        self.say(f"{before} run(s) are being trained by another process: waiting for them")
                        said = True
                    time.sleep(POLL)
        finally:
            self.outbox.close()
            self.claims.release_all()

    def _packs(self) -> list[list[RunConfig]]:
        runs = list(self.open.values())
        together = [run for run in runs if records.run_id(run) not in self.alone]
        return groups(together) + [[run] for run in runs if records.run_id(run) in self.alone]

    def _train(self, group: list[RunConfig]) -> None:
        queue = _Queue(self, group)
        try:
            work(queue, self, len(group))
        except torch.AcceleratorError:
            raise  # the device is of no use to this process any more: the runs go back
        except InputError as error:  # the backbone cannot be had
            for config in [*queue.taken(), *queue]:
                self.failed(config, error)
        except Exception as error:
            taken = queue.taken()
            if not taken:
                raise
            for config in taken:
                self.failed(config, error)

    def ended(self, config: RunConfig, record: Record, state: weights.State | None) -> None:
        super().ended(config, record, state)
        self._close(config, record)

    def failed(self, config: RunConfig, error: Exception) -> None:
        super().failed(config, error)
        try:
            records.write_failure(config, error)
        except OSError as problem:
            self.say(f"{records.failure_path(config)} cannot be written ({problem.strerror or problem})")
        self._close(config, error.with_traceback(None))  # whose frames would keep the backbone in memory

    def ended_elsewhere(self, config: RunConfig) -> bool:
        """Whether another process has finished the run, or failed at it, since this one began."""
        record = finished(config)
        if record is not None:
            self._close(config, record, new=False)
            return True
        failure = records.failure_path(config)
        with suppress(FileNotFoundError):
            if failure.stat().st_mtime > self.began:
                self._close(config, InputError(f"another process failed at it, see {failure}."), new=False)
                return True
        return False

    def _close(self, config: RunConfig, what: Record | Exception, new: bool = True) -> None:
        del self.open[records.run_id(config)]
        if not self.outbox.holds(config):  # else nobody shall train it while its record waits to be written
            self.claims.release(config)
        self.tell(config, what, new)


class _Queue:
    """The runs of a group that nobody has, claimed one by one. It may have none now and one later: a worker among
    several takes no more than its share at a time."""

    def __init__(self, worker: Worker, group: list[RunConfig]) -> None:
        self.worker, self.group = worker, group

    def __iter__(self) -> Iterator[RunConfig]:
        return self

    def __next__(self) -> RunConfig:
        worker = self.worker
        waiting = [config for config in self.group if records.run_id(config) in worker.open]
        mine = self.taken()
        if len(mine) < math.ceil(len(waiting) / worker.workers):
            for config in waiting:
                if config not in mine and self._got(config):
                    worker.claimed(config)
                    return config
        raise StopIteration

    def _got(self, config: RunConfig) -> bool:
        """Claim a run that has not ended, here or elsewhere; one that cannot be claimed or read fails."""
        worker = self.worker
        try:
            if worker.ended_elsewhere(config) or not self._can_start(config) or not worker.claims.take(config):
                return False
            return not worker.ended_elsewhere(config)  # between the look and the claim
        except InputError as error:
            worker.failed(config, error)
            return False

    def _can_start(self, config: RunConfig) -> bool:
        """Whether the stage before it is through. Raises InputError where it has failed."""
        parent = config.parent_run
        if parent is None:
            return True
        if records.run_id(parent) in self.worker.open:
            return False
        if not weights.path(parent).exists():
            raise InputError(f"the stage before it left no prompt: see what became of {records.name(parent)}.")
        return True

    def taken(self) -> list[RunConfig]:
        """The group's runs that this worker has and that have not ended."""
        return [c for c in self.group if records.run_id(c) in self.worker.open and self.worker.claims.has(c)]


class _Crew:
    """One worker process a device, all of them on the same runs, and what happens when one dies."""

    def __init__(self, configs: Sequence[RunConfig], devices: Sequence[str], tell: Tell, say: Say) -> None:
        self.devices, self.tell, self.say = devices, tell, say
        self.open = {records.run_id(config): config for config in configs}
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
        runs = [_on(config, device, progress=False) for config in self.open.values()]
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
                records.write_failure(config, error)
            self._close(config, error)
        elif not held:
            return  # it died before it had a run: it would die again
        self.suspects |= held
        if self.open:
            self._start(member.device)

    def _close(self, config: RunConfig, what: Record | Exception, new: bool = True) -> None:
        if self.open.pop(records.run_id(config), None) is not None:
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
        tell=lambda config, what, new: report.send(("ended", records.run_id(config), (_plain(what), new))),
        say=lambda line: report.send(("says", line, None)),
        claimed=lambda config: report.send(("claims", records.run_id(config), None)),
        alone=alone,
    )
    worker.work()
