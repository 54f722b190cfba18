"""Small data that each task generates in its official schema: the same on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice

from ptuning.config import DataConfig
from ptuning.tasks.base import Row, Task

SIZES = {"train": 2000, "dev": 300}


def rows(task: Task, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """`SIZES` rows, all different, so that no dev row is seen in training."""
    seen: set[str] = set()
    splits: dict[str, list[tuple[str, Row]]] = {}
    for split, size in SIZES.items():
        fresh = islice(_unseen(task.miniature(random.Random(f"{task.name}/{split}")), seen), size)
        splits[split] = [
            (f"miniature {task.name}/{split}:{idx + 1}", {**row, "idx": idx}) for idx, row in enumerate(fresh)
        ]
    return splits


def _unseen(generated: Iterator[Row], seen: set[str]) -> Iterator[Row]:
    for row in generated:
        content = json.dumps(row, sort_keys=True)
        if content not in seen:
            seen.add(content)
            yield row
