"""Records on disk: the JSON file that a finished run, or an evaluation, leaves in results/runs.

A record is written last and atomically, so that it exists only if the run finished. A failed run leaves
`<name>.failed.json` instead, which does not keep it from being launched again. Records may be sorted into subfolders:
they are found there too. Committed records are never edited.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ptuning.config import Recorded, TaskConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.records import verify
from ptuning.records.identity import PLACES, run_id, run_name
from ptuning.records.provenance import provenance
from ptuning.records.record import Record
from ptuning.records.traces import without_places
from ptuning.records.verify import OutdatedRecord

_FAILED = ".failed.json"
_MANY = 500  # files that are not looked through for every record
_MEND = "delete it to have it made again, or restore it"


def path(config: Recorded) -> Path:
    """Where the record is or will be."""
    found = locate(config.runtime.results, f"{run_name(config)}.json")
    return found if found.is_file() else folder(config) / found.name


def folder(config: Recorded) -> Path:
    """Where a new record goes: results/runs, and of a task that YAML alone declares the folder of its name there, so
    that records of one's own data do not stand among this project's."""
    top, task = config.runtime.results / "runs", config.task
    return top / task.name if isinstance(task, TaskConfig) and task.kind is not None else top


def locate(results: Path, name: str) -> Path:
    """The file called `name` in results/runs, or in a folder there, where somebody put it."""
    top = results / "runs"
    if (top / name).is_file():
        return top / name
    return next((folder / name for folder in _folders(top) if (folder / name).is_file()), top / name)


def failure_path(config: Recorded) -> Path:
    """Where word of a failure is left."""
    return folder(config) / f"{run_name(config)}{_FAILED}"


@dataclass(frozen=True)
class _Scan:
    """What a look through a folder has found: the folders below it, in the order of their names."""

    folders: list[Path]
    entries: int
    at: float

    @classmethod
    def of(cls, top: Path) -> _Scan:
        entries = list(os.scandir(top)) if top.is_dir() else []
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
        below = [cls.of(top / name) for name in names]
        folders = [found for name, one in zip(names, below, strict=True) for found in (top / name, *one.folders)]
        return cls(folders, len(entries) + sum(one.entries for one in below), time.monotonic())


_SCANS: dict[Path, _Scan] = {}


def _folders(top: Path) -> list[Path]:
    """All folders below `top`, but hidden ones. Among many files they are looked for once a second at most: every
    record of a sweep is asked for, and what a person moves meanwhile may be seen a second later."""
    scan = _SCANS.get(top)
    if scan is None or scan.entries < _MANY or time.monotonic() - scan.at > 1:
        scan = _SCANS[top] = _Scan.of(top)
    return scan.folders


def find(config: Recorded) -> Record | None:
    """The record of a finished run, None where there is none. Raises InputError where the file is not a record."""
    file = path(config)
    return read(file) if file.is_file() else None


def find_id(results: Path, identifier: str) -> Record | None:
    """The record with that id, whatever it is of; None where there is none. Raises InputError where its file is not a
    record."""
    found = (file for file in _files(results) if file.stem.endswith(f"-{identifier}"))
    file = next(found, None)
    return None if file is None else read(file)


def read(file: Path) -> Record:
    """A record, its config in today's form. Raises InputError, naming the file, where it is not valid JSON, not a
    record, or not what it says it is (`records.verify`)."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({_reason(error)}): {_MEND}.") from None
    record = verify.upgraded(_json(content, file), file)
    known = file, hashlib.sha256(content).digest()
    if known not in _CHECKED:
        with suppress(OutdatedRecord):  # which stands for what it was then: no run of today has its id
            verify.check(record, file)
        _CHECKED.add(known)
    return record


_CHECKED: set[tuple[Path, bytes]] = set()  # what was found in order: a launch reads a record up to five times


def _json(stored: bytes, file: Path) -> Any:
    try:
        text = stored.decode()
        content = json.loads(text, parse_constant=_refuse_constant)
        if r"\ud" in text.lower():  # half a character, perhaps: it could not be written or printed
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except RecursionError:
        raise InputError(f"{file} is not a record: it is nested too deeply; {_MEND}.") from None
    except ValueError as error:  # no JSON, no UTF-8, a number of thousands of digits
        raise InputError(f"{file} is not valid JSON ({_reason(error)}): {_MEND}.") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def read_all(results: Path) -> Iterator[tuple[Path, Record]]:
    """Every record below `results`, of either kind, in the order of their files' names."""
    for file in _files(results):
        yield file, read(file)


def _files(results: Path) -> list[Path]:
    found = (file for file in (results / "runs").rglob("*.json") if not file.name.endswith(_FAILED))
    return sorted(found, key=lambda file: file.name)


def write(config: Recorded, record: Record) -> Path:
    """Write a record, in the place of the one that is there, and drop the mark of an earlier failure."""
    file = path(config)
    _write(file, record)
    failure_path(config).unlink(missing_ok=True)
    return file


def write_failure(config: Recorded, reason: str, trace: str) -> Path:
    """Leave word of what went wrong with a run: in one line, and the traceback, without paths of the machine."""
    file = failure_path(config)
    said = {"reason": without_places(reason), "error": without_places(trace)}
    failed = {"id": run_id(config), "status": "failed", "config": dump(config)} | said
    _write(file, failed | provenance())
    return file


def find_failure(config: Recorded) -> Record | None:
    """The word that a failure left; None where there is none that can be read."""
    try:
        found = json.loads(failure_path(config).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"reason", "config", "id"} <= found.keys() else None


def _write(file: Path, content: Record) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(content, indent=1, allow_nan=False) + "\n")


def dump(config: Recorded) -> dict[str, Any]:
    """The resolved config as JSON, without where and how it was carried out."""
    return config.model_dump(mode="json", exclude=PLACES)
