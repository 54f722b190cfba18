"""What the guards import of the project, and how they keep what they expect.

A module that moves changes this file, not the guards; and no such change makes an expectation move.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from ptuning import registry, tasks
from ptuning.config import DataConfig, RunConfig
from ptuning.data import splits
from ptuning.records.identity import PROTOCOL
from ptuning.run import run

HERE = Path(__file__).parent
INPUTS = HERE / "inputs"  # a data root: each file where its task looks for it
PACKAGE_MEMBERS = "ptuning.data.sources.package.members"  # finds a package's files by their paths in it

Make = Callable[..., RunConfig]  # conftest's `make_run`

__all__ = ["INPUTS", "PACKAGE_MEMBERS", "PROTOCOL", "Make", "RunConfig", "registry", "run", "tasks"]


# --- what is kept

REMAKING = "REMAKE_GUARDS" in os.environ


class Expectations:
    """A JSON file: what its entries were made with, and the entries by name."""

    def __init__(self, file: str, made_with: dict[str, Any]) -> None:
        self.path, self.made_with = HERE / file, made_with

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def of(self, name: str, found: Any, known: Collection[str]) -> tuple[Any, bool]:
        """The entry `name`, and whether it was made with what is here now. Where guards are being remade, `found`
        becomes that entry, those not `known` any more go, and the test that asks is skipped."""
        if not REMAKING:
            kept = self.read()
            return kept["entries"][name], kept["made_with"] == self.made_with
        with FileLock(Path(tempfile.gettempdir()) / "guards.lock"):
            kept = self.read() if self.path.exists() else {"made_with": None, "entries": {}}
            # Entries of another protocol, version or processor do not stand beside new ones.
            old = kept["entries"] if kept["made_with"] == self.made_with else {}
            new = {**old, name: found}
            content = {"made_with": self.made_with, "entries": {key: new[key] for key in known if key in new}}
            self.path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        pytest.skip("remade")


def made_with() -> dict[str, Any]:
    """What the last bits of a run's numbers depend on, and the protocol that it was run under."""
    return {
        "protocol": PROTOCOL,
        "versions": {package: version(package) for package in ("torch", "transformers", "tokenizers", "numpy")},
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    """Its model: libraries of linear algebra choose their code by it."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = dict(line.split("\t", 1) for line in info.read_text().split("\n\n")[0].splitlines() if "\t" in line)
    told = {key.strip(): value.strip(" \t:") for key, value in lines.items()}
    parts = ("vendor_id", "model name", "cpu family", "model", "stepping")
    return " ".join(told[part] for part in parts if part in told) or platform.machine()


# --- runs


def on_mixture(config: RunConfig, sets: dict[str, str]) -> RunConfig:
    """`config` on a mixture of `sets`, tasks by the sets' names, in place of its task."""
    values = config.model_dump()
    values["task"] = {
        "name": "mixed", "bundled": "miniature", "cap": 10, "temperature": 2.0,
        "tasks": {key: values["task"] | {"name": name} for key, name in sets.items()},
    }  # fmt: skip
    return RunConfig.model_validate(values)


def from_mixture(config: RunConfig, sets: dict[str, str], **train: Any) -> list[RunConfig]:
    """The run on a mixture of `sets` before `config`, which differs from it in `train`, and `config` itself as a run
    that starts from the prompt of that run (multi-task P-Tuning v2)."""
    assert config.prompt is not None
    source = {"task": on_mixture(config, sets).task.model_dump(), "train": train}
    prompt = config.prompt | {"init": {"name": "prompt", "start": config.prompt["init"]}}
    child = RunConfig.model_validate(config.model_dump() | {"prompt": prompt, "sources": {"mixed": source}})
    (only,) = child.source_runs
    assert isinstance(only.run, RunConfig)
    return [only.run, child]


def numbers(record: dict[str, Any]) -> dict[str, Any]:
    """All of a record that a reader may rely on: no times, no memory, nothing of the machine."""
    lines = ("epoch", "loss", "dev", "tests", "right")
    return {
        "status": record["status"],
        "history": [{key: line[key] for key in lines} for line in record["history"]],
        "chosen_epoch": record["selection"]["epoch"],
        "score": record["score"],
        "trained_parameters": record["parameters"]["trained"],
        "total_parameters": record["parameters"]["total"],
    }


# --- data


def read(task: str, options: dict[str, Any], **source: Any) -> dict[str, Any]:
    """The fingerprint of a task's data, and the examples in each split."""
    found = splits.load(tasks.load(task, **options), DataConfig(**source))
    counted = {"train": found.train, "dev": found.dev, **found.tests}
    return {
        "fingerprint": found.fingerprint,
        "examples": {split: len(examples) for split, examples in counted.items()},
    }


def fingerprint_of(config: RunConfig) -> str:
    """Of a run's data, all sets of a mixture together."""
    return splits.fingerprint_of(config)
