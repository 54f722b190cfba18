"""Where finished runs wait to be written, so that a full disk or a folder that turned read-only loses none."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ptuning.config import RunConfig
from ptuning.records import store, weights
from ptuning.records.identity import run_id
from ptuning.records.record import Record
from ptuning.records.weights import State

Item = tuple[RunConfig, Record, State | None]


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class RecordWriter:
    """Writes runs; what cannot be written is kept, tried again whenever another is, and at last put elsewhere."""

    def __init__(self, tell: Callable[[str], None] = to_stderr) -> None:
        self.tell = tell
        self.waiting: list[Item] = []

    def put(self, config: RunConfig, record: Record, state: State | None = None) -> None:
        """Write a run's weights, then its record."""
        waiting, self.waiting = [*self.waiting, (config, record, state)], []
        for item in waiting:
            self._try(item)

    def _try(self, item: Item) -> None:
        config, record, state = item
        try:
            if state is not None:
                weights.write(weights.path(config), config, state)
            store.write(config, record)
        except OSError as error:
            self.waiting.append(item)
            self.tell(
                f"{store.path(config)} cannot be written ({error.strerror or error}): the finished run is kept in "
                "memory and tried again; make room, or make the folder writable."
            )

    def holds(self, config: RunConfig) -> bool:
        """Whether the run still waits to be written."""
        return any(run_id(waiting) == run_id(config) for waiting, _, _ in self.waiting)

    def close(self) -> None:
        """A last try, and then another folder."""
        waiting, self.waiting = self.waiting, []
        for item in waiting:
            self._try(item)
        waiting, self.waiting = self.waiting, []
        for config, record, state in waiting:
            self._rescue(config, record, state)

    def _rescue(self, config: RunConfig, record: Record, state: State | None) -> None:
        for parent in (Path(tempfile.gettempdir()), Path.home(), Path.cwd(), Path("/dev/shm")):
            folder = parent / f"ptuning-rescued-{os.getpid()}"
            runtime = config.runtime.model_copy(update={"results": folder, "weights": folder / "weights"})
            there = config.model_copy(update={"runtime": runtime})
            try:
                file = store.write(there, record)
                if state is not None:
                    weights.write(weights.path(there), there, state)
            except OSError:
                continue
            self.tell(f"{store.path(config)} could not be written: move {file} there, or the run is done again.")
            return
        self.tell(f"{store.path(config)} could not be written anywhere: its content follows.\n{json.dumps(record)}")
