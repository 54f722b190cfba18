"""Small data that each task generates in its official schema: the same on every machine."""

from __future__ import annotations

import json
import random

from ptuning.config import DataConfig
from ptuning.formats.rows import Row
from ptuning.tasks.base import AnyTask

SIZES = {"train": 2000}  # rows at least, else 300: a family of rows is never cut


def rows(task: AnyTask, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """Generated rows, all different, so that no dev row is seen in training."""
    seen: set[str] = set()
    return {
        split: [
            (f"miniature {task.name}/{split}:{idx + 1}", {**row, "idx": idx})
            for idx, row in enumerate(_draw(task, split, SIZES.get(split, 300), seen))
        ]
        for split in task.files or ("train", "dev")
    }


def _draw(task: AnyTask, split: str, size: int, seen: set[str]) -> list[Row]:
    """Whole families none of whose rows is in `seen`, which grows by them."""
    drawn: list[Row] = []
    families = task.miniature(random.Random(f"{task.name}/{split}"))
    while len(drawn) < size:
        family = next(families)
        contents = {json.dumps(row, sort_keys=True) for row in family}
        if not contents & seen:
            seen |= contents
            drawn += family
    return drawn
