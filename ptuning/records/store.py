"""Records: the JSON file that a finished run leaves, and a run's identity.

A run's id hashes what can change its number and nothing else: not paths, devices, lanes or W&B. A record is written
last and atomically, so that it exists only if the run finished. A failed run leaves `<name>.failed.json` instead,
which does not keep it from being launched again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.records import configs
from ptuning.records.identity import run_id, run_name
from ptuning.records.provenance import provenance
from ptuning.records.record import Record

_FAILED = ".failed.json"


def path(config: RunConfig) -> Path:
    """Where the run's record is or will be."""
    return locate(config.runtime.results, f"{run_name(config)}.json")


def locate(results: Path, name: str) -> Path:
    """The file called `name` in results/runs, or in a folder there, where somebody put it."""
    file = results / "runs" / name
    return file if file.exists() else next((results / "runs").rglob(name), file)


def failure_path(config: RunConfig) -> Path:
    return path(config).with_suffix(_FAILED)


def find(config: RunConfig) -> Record | None:
    """The record of a finished run, None where there is none. Raises InputError where the file is not a record."""
    file = path(config)
    return read(file) if file.exists() else None


def read(file: Path) -> Record:
    """A record, its config in today's form. Raises InputError, naming the file, where it is not valid JSON or not a
    record."""
    try:
        record = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not valid JSON ({error}): delete it to run it again, or restore it.") from None
    if not isinstance(record, dict) or not {"id", "status", "config", "history"} <= record.keys():
        raise InputError(f"{file} is not a run's record: delete it to run it again, or restore it.")
    return record | {"config": configs.upgrade(record["config"])}


def read_all(results: Path) -> Iterator[tuple[Path, Record]]:
    """Every record of finished runs in results/runs and its folders, in the order of their names."""
    for file in sorted((results / "runs").rglob("*.json"), key=lambda file: file.name):
        if not file.name.endswith(_FAILED):
            yield file, read(file)


def write(config: RunConfig, record: Record) -> Path:
    """Write a finished run's record, and drop the mark of an earlier failure."""
    file = path(config)
    _write(file, record)
    failure_path(config).unlink(missing_ok=True)
    return file


def write_failure(config: RunConfig, trace: str) -> Path:
    """Leave word of what went wrong with a run: the traceback."""
    file = failure_path(config)
    _write(file, {"id": run_id(config), "status": "failed", "config": dump(config), "error": trace} | provenance())
    return file


def _write(file: Path, content: Record) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(content, indent=1, allow_nan=False) + "\n")


def dump(config: RunConfig) -> dict[str, Any]:
    """The resolved config as JSON, without where and how it was carried out."""
    return config.model_dump(mode="json", exclude={"runtime": True, "data": {"root"}})
