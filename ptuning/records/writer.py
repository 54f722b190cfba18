"""Writing finished runs, so that a full disk or a folder that turned read-only loses none."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ptuning.config import RunConfig, RuntimeConfig
from ptuning.parsed import Run
from ptuning.records import generations, store, weights
from ptuning.records.events import one_line
from ptuning.records.record import Record
from ptuning.records.weights import State, Step

States = Mapping[Step | None, State]
Write = Callable[[RunConfig], Path]  # writes one file where a config says, and returns its path; raises OSError


def to_stderr(line: str) -> None:
    """Print a line to standard error, if anybody still reads it."""
    with suppress(OSError):  # nobody reads it any more
        print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run to be written; `files`: those that are not yet, by where they belong: weights, and last the record."""

    run: Run
    record: Record
    files: dict[Path, Write]

    @classmethod
    def of(cls, run: Run, record: Record, states: States, generated: Sequence[generations.Line] = ()) -> FinishedRun:
        """A run that is through, and what is to be written of it: weights, texts, and the record last."""
        files: dict[Path, Write] = {
            weights.path(run.config, step): partial(_write_weights, step, state, record)
            for step, state in states.items()
        }
        if generated:
            files[generations.path(run.config)] = lambda config: generations.write(generations.path(config), generated)
        return cls(run, record, files | {store.path(run.config): lambda config: store.write(config, record)})


def _write_weights(step: Step | None, state: State, record: Record, config: RunConfig) -> Path:
    labels = record["data"].get("labels", [])
    return weights.write(weights.path(config, step), config, state, record["backbone"], labels)


class RecordWriter:
    """Writes runs; what a disk refuses is kept, tried again whenever another run is written, and at last put
    elsewhere."""

    def __init__(self, log: Callable[[str], None] = to_stderr) -> None:
        self.log = log
        self.waiting: list[FinishedRun] = []
        self._refused: dict[Path, str] = {}  # why, by file

    def write(self, run: Run, record: Record, states: States, generated: Sequence[generations.Line] = ()) -> None:
        """Write a run's weights, what it generated, and its record. Raises what is wrong with these themselves; the
        run is then not written."""
        self._retry()
        one = FinishedRun.of(run, record, states, generated)
        self.waiting.append(one)  # from here on `close` knows of it, whatever ends the process
        try:
            self._write(one)
        except Exception:
            self.waiting.remove(one)
            raise

    def is_waiting(self, run: Run) -> bool:
        """Whether the run still waits to be written."""
        return any(one.run.id == run.id for one in self.waiting)

    def close(self) -> None:
        """A last try, and then another folder."""
        self._retry()
        while self.waiting:
            self._write_elsewhere(self.waiting[0])
            del self.waiting[0]

    def _retry(self) -> None:
        for one in list(self.waiting):
            try:
                self._write(one)
            except Exception as error:
                self.log(f"{one.run.name} is lost, its files cannot be written: {one_line(error)}")
                self.waiting.remove(one)

    def _write(self, one: FinishedRun) -> None:
        """Write what is not yet written of a run, and tell, once a folder, of what cannot be."""
        for place, write in list(one.files.items()):
            try:
                write(one.run.config)
            except OSError as error:
                self._refuse(place, error.strerror or str(error))
            else:
                del one.files[place]
                self._refused.pop(place, None)
        if not one.files:
            self.waiting.remove(one)

    def _refuse(self, place: Path, reason: str) -> None:
        said = any((file.parent, why) == (place.parent, reason) for file, why in self._refused.items())
        self._refused[place] = reason
        if not said:
            self.log(
                f"{place.parent} cannot be written ({reason}): what finished runs have for it is kept in memory and "
                "tried again; make room, or make the folder writable."
            )

    def _write_elsewhere(self, one: FinishedRun) -> None:
        """Put a run's files where there is room for all of them, and say where each belongs."""
        for parent in (Path(tempfile.gettempdir()), Path.home(), Path.cwd(), Path("/dev/shm")):
            folder = parent / f"ptuning-rescued-{os.getpid()}"
            runtime = _rescuing(one.run.config.runtime, folder)
            config = one.run.config.model_copy(update={"runtime": runtime})
            with suppress(OSError):
                moves = [f"{write(config)} to {place}" for place, write in one.files.items()]
                self.log(
                    f"{one.run.name} is finished but could not be written to its place "
                    f"({self._reasons(one)}): move {' and '.join(moves)}, or it is trained again."
                )
                return
            _remove_empty(folder)
        files = " and ".join(map(str, one.files))
        content = f"; its record:\n{json.dumps(one.record)}" if store.path(one.run.config) in one.files else "."
        self.log(f"{files} could not be written anywhere ({self._reasons(one)}){content}")

    def _reasons(self, one: FinishedRun) -> str:
        return "; ".join(dict.fromkeys(self._refused[place] for place in one.files))


def _rescuing(runtime: RuntimeConfig, folder: Path) -> RuntimeConfig:
    return runtime.model_copy(update={"results": folder, "weights": folder / "weights"})


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing could be written; one that holds files of other runs stays."""
    for one in (folder / "runs", folder / "generations", folder / "weights" / "steps", folder / "weights", folder):
        with suppress(OSError):
            one.rmdir()
