"""Records: the JSON file that a finished run leaves, and a run's identity.

A run's id hashes what can change its number and nothing else: not paths, devices, lanes or W&B. A record is written
last and atomically, so that it exists only if the run finished. A failed run leaves `<name>.failed.json` instead,
which does not keep it from being launched again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import traceback
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ptuning import methods, select, tasks
from ptuning.config import MixtureConfig, RunConfig, TaskConfig, parse
from ptuning.errors import InputError
from ptuning.files import write_atomic

Record = dict[str, Any]

# Raised when a change of this code can move what a run's number is expected to be. One that only draws anew, such as
# another order of batches under the same seed, shows in the commit that each record names.
PROTOCOL = 1
_FAILED = ".failed.json"


def identity(config: RunConfig) -> dict[str, Any]:
    """Everything about a run that can change its number."""
    backbone = config.backbone.model_dump()
    if config.backbone.source == "hub" and os.path.isdir(os.path.expanduser(config.backbone.id)):
        backbone.pop("id")  # a local folder's path; its name stands for it, and the record holds its fingerprint
    schema = methods.load(config.method).Prompt
    data = config.data.model_dump(exclude={"root"} | ({"test_rows"} if config.data.test_rows is None else set()))
    parent = config.parent_run
    return {
        "protocol": PROTOCOL,
        "backbone": backbone,
        "task": _asked(config.task),
        "data": data,
        "method": config.method,
        "prompt": None if schema is None else parse(schema, config.prompt or {}, "prompt").model_dump(),
        "train": config.train.model_dump(),
        "seed": config.seed,
    } | ({} if parent is None else {"parent": identity(parent)})


def _asked(task: TaskConfig | MixtureConfig) -> dict[str, Any]:
    """What of a task, or of a mixture's, can change a number."""
    if isinstance(task, MixtureConfig):
        sets = {name: _asked(one) for name, one in task.tasks.items()}
        return {**task.model_dump(exclude={"bundled"}), "tasks": sets}
    version = tasks.load(task.name, **task.options).version
    return {**task.model_dump(exclude={"bundled", "mixture"}), "version": version}


def run_id(config: RunConfig) -> str:
    """Ten hexadecimal digits that name the run."""
    canonical = json.dumps(identity(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def name(config: RunConfig) -> str:
    """What the run's files are called: readable, and unique by the id at its end."""
    method = config.method if config.parent is None else f"{config.method}-from-{config.parent.task.name}"
    return f"{config.task.name}-{config.backbone.name}-{method}-seed{config.seed}-{run_id(config)}"


def path(config: RunConfig) -> Path:
    return config.runtime.results / "runs" / f"{name(config)}.json"


def failure_path(config: RunConfig) -> Path:
    return path(config).with_suffix(_FAILED)


def find(config: RunConfig) -> Record | None:
    """The record of a finished run, None where there is none. Raises InputError where the file is not a record."""
    file = path(config)
    return read(file) if file.exists() else None


def read(file: Path) -> Record:
    """Raises InputError, naming the file, where it is not valid JSON or not a record."""
    try:
        record = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not valid JSON ({error}): delete it to run it again, or restore it.") from None
    if not isinstance(record, dict) or not {"id", "status", "config", "history"} <= record.keys():
        raise InputError(f"{file} is not a run's record: delete it to run it again, or restore it.")
    return record


def chosen(record: Record, rule: str) -> tuple[int, float] | None:
    """The epoch (from 1) and score by which the selection rule named `rule` reports a run; None if it diverged."""
    if record["status"] == "diverged":
        return None
    scores = [epoch["dev"][record["metric"]] for epoch in record["history"]]
    index = select.rule(rule)(scores)
    return record["history"][index]["epoch"], scores[index]


def value(record: Record, rule: str, split: str = "dev", metric: str | None = None) -> float | None:
    """A score of the epoch that the rule named `rule` chooses: on `split`, by `metric` (None: the one that chooses);
    None if the run diverged. Raises InputError where the record has no such score."""
    found = chosen(record, rule)
    if found is None:
        return None
    epoch = next(one for one in record["history"] if one["epoch"] == found[0])
    scores = epoch["dev"] if split == "dev" else epoch.get("tests", {}).get(split, {})
    wanted = metric or record["metric"]
    if wanted not in scores:
        raise InputError(
            f"record {record['id']} has no {wanted} on {split} in epoch {found[0]}, the one that {rule} chooses: "
            "delete the record and run it again, or report by the rule that it was run with."
        )
    return float(scores[wanted])


def read_all(results: Path) -> Iterator[tuple[Path, Record]]:
    """Every record of finished runs below `results`, in the order of their names."""
    for file in sorted((results / "runs").glob("*.json")):
        if not file.name.endswith(_FAILED):
            yield file, read(file)


def write(config: RunConfig, record: Record) -> Path:
    """Write a finished run's record, and drop the mark of an earlier failure."""
    file = path(config)
    _write(file, record)
    failure_path(config).unlink(missing_ok=True)
    return file


def write_failure(config: RunConfig, error: BaseException) -> Path:
    """Leave word of what went wrong with a run."""
    file = failure_path(config)
    trace = "".join(traceback.format_exception(error))
    _write(file, {"id": run_id(config), "status": "failed", "config": dump(config), "error": trace} | provenance())
    return file


def _write(file: Path, content: Record) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(content, indent=1, allow_nan=False) + "\n")


def dump(config: RunConfig) -> dict[str, Any]:
    """The resolved config as JSON, without where and how it was carried out."""
    return config.model_dump(mode="json", exclude={"runtime": True, "data": {"root"}})


@cache
def provenance() -> dict[str, Any]:
    """Versions, machine and code behind a run."""
    packages = ("torch", "transformers", "datasets", "tokenizers", "numpy")
    changes = _git("status", "--porcelain", "-uno")
    return {
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "git": {"commit": _git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)},
    }


def _git(*arguments: str) -> str | None:
    """What git answers; None where there is no git, or no repository."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
