"""Writing finished runs, so that a full disk or a folder that turned read-only loses none."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ptuning.config import RunConfig
from ptuning.parsed import Run
from ptuning.records import store, weights
from ptuning.records.record import Record
from ptuning.records.weights import State, Step

States = Mapping[Step | None, State]


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class FinishedRun:
    """A run to be written: its record, and what of its weights is to be saved, by `weights.path`'s step."""

    run: Run
    record: Record
    states: States

    def write(self, config: RunConfig) -> Path:
        """Write the weights, then the record, where `config` says; the record's path. Raises OSError."""
        for step, state in self.states.items():
            weights.write(weights.path(config, step), config, state, self.record["backbone"])
        return store.write(config, self.record)


class RecordWriter:
    """Writes runs; what cannot be written is kept, tried again whenever another is, and at last put elsewhere."""

    def __init__(self, log: Callable[[str], None] = to_stderr) -> None:
        self.log = log
        self.waiting: list[FinishedRun] = []

    def write(self, run: Run, record: Record, states: States) -> None:
        """Write a run's weights, then its record."""
        self._write_all([*self.waiting, FinishedRun(run, record, states)])

    def _write_all(self, finished: list[FinishedRun]) -> None:
        self.waiting = []
        for one in finished:
            try:
                one.write(one.run.config)
            except OSError as error:
                self.waiting.append(one)
                self.log(
                    f"{store.path(one.run.config)} cannot be written ({error.strerror or error}): the finished run is "
                    "kept in memory and tried again; make room, or make the folder writable."
                )

    def is_waiting(self, run: Run) -> bool:
        """Whether the run still waits to be written."""
        return any(one.run.id == run.id for one in self.waiting)

    def close(self) -> None:
        """A last try, and then another folder."""
        self._write_all(self.waiting)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            self._write_elsewhere(one)

    def _write_elsewhere(self, one: FinishedRun) -> None:
        config = one.run.config
        for parent in (Path(tempfile.gettempdir()), Path.home(), Path.cwd(), Path("/dev/shm")):
            folder = parent / f"ptuning-rescued-{os.getpid()}"
            runtime = config.runtime.model_copy(update={"results": folder, "weights": folder / "weights"})
            try:
                file = one.write(config.model_copy(update={"runtime": runtime}))
            except OSError:
                continue
            self.log(f"{store.path(config)} could not be written: move {file} there, or the run is done again.")
            return
        self.log(f"{store.path(config)} could not be written anywhere: its content follows.\n{json.dumps(one.record)}")
