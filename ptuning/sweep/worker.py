"""One process's part in a sweep."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import torch

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records import store, weights
from ptuning.records.identity import run_id, run_name
from ptuning.records.record import Record
from ptuning.run import Keeper, work
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.packing import groups
from ptuning.sweep.reports import Say, Tell
from ptuning.sweep.resume import finished

POLL = 2.0  # seconds between looks at runs that another process trains


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
        self.claimed, self.claims = claimed, RunLocks()
        self.began = time.time()
        self.open = {run_id(config): config for config in configs}

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
        together = [run for run in runs if run_id(run) not in self.alone]
        return groups(together) + [[run] for run in runs if run_id(run) in self.alone]

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
            store.write_failure(config, error)
        except OSError as problem:
            self.say(f"{store.failure_path(config)} cannot be written ({problem.strerror or problem})")
        self._close(config, error.with_traceback(None))  # whose frames would keep the backbone in memory

    def ended_elsewhere(self, config: RunConfig) -> bool:
        """Whether another process has finished the run, or failed at it, since this one began."""
        record = finished(config)
        if record is not None:
            self._close(config, record, new=False)
            return True
        failure = store.failure_path(config)
        with suppress(FileNotFoundError):
            if failure.stat().st_mtime > self.began:
                self._close(config, InputError(f"another process failed at it, see {failure}."), new=False)
                return True
        return False

    def _close(self, config: RunConfig, what: Record | Exception, new: bool = True) -> None:
        del self.open[run_id(config)]
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
        waiting = [config for config in self.group if run_id(config) in worker.open]
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
        if run_id(parent) in self.worker.open:
            return False
        if not weights.path(parent).exists():
            raise InputError(f"the stage before it left no prompt: see what became of {run_name(parent)}.")
        return True

    def taken(self) -> list[RunConfig]:
        """The group's runs that this worker has and that have not ended."""
        return [c for c in self.group if run_id(c) in self.worker.open and self.worker.claims.has(c)]
