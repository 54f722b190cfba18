"""What runs learn from and are judged by, encoded once for all runs of a sweep that share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ptuning.backbones.backbone import Backbone
from ptuning.data import splits
from ptuning.data.encoded import Encoded
from ptuning.data.splits import TaskData
from ptuning.parsed import Run
from ptuning.seeds import Streams
from ptuning.tasks.base import AnyTask
from ptuning.training.adapter import head_context


@dataclass(frozen=True)
class TaskDataset:
    """What a run learns from and is judged by. Runs of one task and head on one backbone share it."""

    task: AnyTask
    data: TaskData
    train: Encoded
    dev: Encoded
    encode_unanswered: Callable[[Sequence[Any]], Encoded]

    @cached_property
    def tests(self) -> dict[str, Encoded]:
        """The test sets, encoded when they are first asked for: a mixture never asks."""
        return {name: self.encode_unanswered(examples) for name, examples in self.data.tests.items()}

    @property
    def encoded(self) -> dict[str, Encoded]:
        """What is encoded so far, by split."""
        return {"train": self.train, "dev": self.dev, **self.__dict__.get("tests", {})}


class DatasetCache:
    """The datasets of a sweep's runs on one backbone, read and encoded once each."""

    def __init__(self, backbone: Backbone, tell: Callable[[str], None] | None = None) -> None:
        """`tell` hears what is odd about data when they are first asked for."""
        self.backbone, self.tell = backbone, tell
        self.told: set[str] = set()
        self.known: dict[tuple[str, str, str], TaskDataset] = {}

    def of(self, run: Run, name: str) -> TaskDataset:
        """What the run's set `name` is. Raises InputError as `splits.load_for_run` and a head's `encode` do."""
        config, head = run.config.by_task[name], run.heads[name]
        task, loaded = splits.load_for_run(config)
        chosen = json.dumps([head.__module__, config.head.keys], sort_keys=True)
        key = config.task.model_dump_json(), config.data.model_dump_json(), chosen
        if key not in self.known:
            labelled = run.answering({**run.tasks, name: task})
            context = head_context(labelled, name, self.backbone, Streams(config.seed, self.backbone.device))
            data = loaded.only(partial(head.asked, context), head.left_out)
            ask = partial(head.encode_unanswered, context)
            self._tell_oddities(task, data)
            self.known[key] = TaskDataset(task, data, head.encode(context, data.train), ask(data.dev), ask)
        return self.known[key]

    def _tell_oddities(self, task: AnyTask, data: TaskData) -> None:
        if self.tell and data.oddities and data.fingerprint not in self.told:
            self.tell(f"{task.name}, {data.source} data: {data.oddities}")
            self.told.add(data.fingerprint)
