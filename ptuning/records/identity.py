"""A run's identity: everything that can change its number, and nothing else (not paths, devices, lanes or W&B).

Its hash is the run's id."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from ptuning import methods, tasks
from ptuning.config import MixtureConfig, RunConfig, TaskConfig, parse

# Raised when a change of this code can move what a run's number is expected to be. One that only draws anew, such as
# another order of batches under the same seed, shows in the commit that each record names.
PROTOCOL = 1


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
        sets = {run_name: _asked(one) for run_name, one in task.tasks.items()}
        return {**task.model_dump(exclude={"bundled"}), "tasks": sets}
    version = tasks.load(task.name, **task.options).version
    return {**task.model_dump(exclude={"bundled", "mixture"}), "version": version}


def run_id(config: RunConfig) -> str:
    """Ten hexadecimal digits that name the run."""
    canonical = json.dumps(identity(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def run_name(config: RunConfig) -> str:
    """What the run's files are called: readable, and unique by the id at its end."""
    method = config.method if config.parent is None else f"{config.method}-from-{config.parent.task.name}"
    return f"{config.task.name}-{config.backbone.name}-{method}-seed{config.seed}-{run_id(config)}"
