"""A task's data for one run: rows from one source, capped, as examples."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ptuning import sources, tasks
from ptuning.config import DataConfig, RunConfig, TaskConfig
from ptuning.errors import InputError
from ptuning.tasks.base import Example, Row, Task


@dataclass(frozen=True)
class TaskData:
    train: list[Example]
    dev: list[Example]
    source: str
    fingerprint: str  # SHA-256 over the rows used


def load(task: Task, data: DataConfig) -> TaskData:
    """Raises InputError where the source does, for a malformed row, and for a split without examples."""
    rows = sources.rows(task, data)
    used = {split: capped(rows[split], cap) for split, cap in (("train", data.train_rows), ("dev", data.dev_rows))}
    examples = {
        split: [example for where, row in chosen for example in _labelled(task, row, where)]
        for split, chosen in used.items()
    }
    for split, found in examples.items():
        if not found:
            raise InputError(f"data.source={data.source}: {task.name} has no {split} examples, give it some.")
    return TaskData(examples["train"], examples["dev"], data.source, fingerprint(used))


def _labelled(task: Task, row: Row, where: str) -> list[Example]:
    found = task.examples(row, where)
    if any(example.label < 0 for example in found):
        raise InputError(f"{where}: the row has no label, as in test sets: use a labelled split.")
    return found


def of(config: RunConfig) -> tuple[Task, TaskData]:
    """A run's task and data, read once by all runs that use them. Raises InputError as `load` does."""
    return _read(config.task.model_dump_json(), config.data.model_dump_json())


@lru_cache(maxsize=8)
def _read(task: str, source: str) -> tuple[Task, TaskData]:
    chosen = TaskConfig.model_validate_json(task)
    found = tasks.load(chosen.name, **chosen.options)
    return found, load(found, DataConfig.model_validate_json(source))


def capped(rows: Sequence[tuple[str, Row]], cap: int | None) -> list[tuple[str, Row]]:
    """`cap` rows in their own order, the same ones for every run, and all of them within any larger cap.

    Rows are official rows, so that all answers to a MultiRC question stay together.
    """
    if cap is None or cap >= len(rows):
        return list(rows)
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    return [rows[index] for index in sorted(order[:cap])]


def fingerprint(used: dict[str, list[tuple[str, Row]]]) -> str:
    content = {split: [row for _, row in rows] for split, rows in used.items()}
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
