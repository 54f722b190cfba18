"""Mixed-task inference: one frozen backbone answers questions of many tasks, each through its own trained prompt.

What is loaded are the folded weights that runs saved (`runtime.save=true`). A batch holds questions of several tasks
and methods; each goes to its prompt and head, and the answers come back in the order of the questions (P-Tuning v2,
section 1: "one model for all tasks", which the paper claims and its code does not do).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptuning.config import BackboneConfig, RunConfig, RuntimeConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import weights
from ptuning.run import prepare_backbone
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.measure import choose_budget
from ptuning.training.predictions import predict

Answer = dict[str, Any]  # what `task.format_prediction` says of one example, and the `run` that answered


class Answerer:
    """A frozen backbone with the prompts and heads of several runs, known by their files' names."""

    def __init__(self, files: Sequence[Path], runtime: RuntimeConfig, backbone: BackboneConfig | None = None) -> None:
        """`backbone`: where the one of the files is here, None where they say it themselves. Raises InputError for a
        file that is no saved run or is of another backbone, and where one of several has trained it."""
        runs = {file.stem: Run.parse(_placed(weights.read_config(file, runtime), backbone)) for file in files}
        _check_shared_backbone(runs)
        if len(runs) < len(files):
            raise InputError(
                "two of the files have the same name: give one of them another, it is how runs are known."
            )
        first = next(iter(runs.values()))
        self.backbone, self.backbone_config = prepare_backbone(first), first.config.backbone
        self.backbone.hidden_cache = None  # questions do not come again
        self.adapters: dict[str, Adapter] = {
            file.stem: weights.load(file, runs[file.stem].config, self.backbone) for file in files
        }
        self.budget = choose_budget(runtime.tokens_per_pass, 1, self.backbone)

    def answer(self, questions: Sequence[tuple[str, Mapping[str, Any]]]) -> list[list[Answer]]:
        """The answers to each question, given as (where it stands, official row with its `run` or `task`), labels not
        needed. Raises InputError for a question that no prompt, or more than one, is for, and for a malformed row."""
        names = [self._find_run(row, where) for where, row in questions]
        examples = [self._examples(name, row, where) for name, (where, row) in zip(names, questions, strict=True)]
        by_run: dict[str, list[Any]] = {name: [] for name in names}
        for name, found in zip(names, examples, strict=True):
            by_run[name] += found
        answers = self._predict(by_run)
        return [[next(answers[name]) for _ in found] for name, found in zip(names, examples, strict=True)]

    def _examples(self, name: str, row: Mapping[str, Any], where: str) -> list[Any]:
        found = self.adapters[name].task.examples(row, where)
        if not found:
            raise InputError(f"{where}: the row asks nothing: correct the line or remove it.")
        return found

    def _predict(self, examples: Mapping[str, Sequence[Any]]) -> dict[str, Iterator[Answer]]:
        """The answers to each run's examples, in their order."""
        batches = [self._encode(name, asked) for name, asked in examples.items()]
        answers: dict[str, Iterator[Answer]] = {}
        predictions = predict(self.backbone, batches, self.budget)
        for (name, asked), batch, found in zip(examples.items(), batches, predictions, strict=True):
            if isinstance(found, Exception):
                raise found
            task, predicted = self.adapters[name].task, self.adapters[name].collect(asked, batch.examples, found)
            answers[name] = iter(
                [
                    {"run": name, **task.format_prediction(example, answer)}
                    for example, answer in zip(asked, predicted, strict=True)
                ]
            )
        return answers

    def _find_run(self, row: Mapping[str, Any], where: str) -> str:
        """The run that answers a row: the one it names, or the only one of the task that it names."""
        if row.get("run") in self.adapters:
            return str(row["run"])
        if "run" in row:
            raise InputError(f"{where}: run={row['run']} is not loaded: choose one of {', '.join(self.adapters)}.")
        of_task = [name for name, adapter in self.adapters.items() if adapter.task.name == row.get("task")]
        if not of_task:
            known = ", ".join(sorted({adapter.task.name for adapter in self.adapters.values()}))
            raise InputError(f"{where}: task={row.get('task')} has no loaded run: those of {known} have.")
        if len(of_task) > 1:
            raise InputError(
                f"{where}: task={row.get('task')} is served by {len(of_task)} of the loaded runs: "
                f'give "run", one of {", ".join(self.adapters)}.'
            )
        return of_task[0]

    def _encode(self, name: str, examples: Sequence[Any]) -> AdapterBatch:
        adapter = self.adapters[name]
        encoded = adapter.encode(examples)
        return AdapterBatch(adapter, encoded, np.arange(len(encoded)))


def _placed(run: RunConfig, backbone: BackboneConfig | None) -> RunConfig:
    """The run on its backbone where that is here; the pooler is the head's."""
    if backbone is None:
        return run
    own = {"name": run.backbone.name, "pooler": run.backbone.pooler}
    return run.model_copy(update={"backbone": backbone.model_copy(update=own)})


def _check_shared_backbone(runs: Mapping[str, Run]) -> None:
    """Raises InputError where the runs, by their files' names, are none, or cannot share one frozen backbone."""
    if not runs:
        raise InputError("no saved prompts were given: train with runtime.save=true and name the files.")
    first = next(iter(runs))
    for name, run in runs.items():
        if run.trains_backbone and len(runs) > 1:
            raise InputError(
                f"{name} was made by {run.config.method}, which changes the backbone: it cannot share one."
            )
        if _backbone_of(run.config) != _backbone_of(runs[first].config):
            raise InputError(f"{name} and {first} were trained on another backbone or precision: serve them apart.")


def _backbone_of(config: RunConfig) -> tuple[object, ...]:
    return config.backbone.model_dump(exclude={"pooler"}), config.train.precision
