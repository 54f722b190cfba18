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

from ptuning.config import RunConfig, RuntimeConfig
from ptuning.errors import InputError
from ptuning.records import weights
from ptuning.run import ALONE, ready, trains_backbone
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.datasets import collect, encode
from ptuning.training.evaluate import predict

Answer = dict[str, Any]  # what `task.format_prediction` says of one example, and the `run` that answered


class Answerer:
    """A frozen backbone with the prompts and heads of several runs, known by their files' names."""

    def __init__(self, files: Sequence[Path], runtime: RuntimeConfig) -> None:
        """Raises InputError for a file that is no saved run, that trained the backbone, or that is of another one."""
        configs = {file.stem: weights.config(file, runtime) for file in files}
        if not configs:
            raise InputError("no saved prompts were given: train with runtime.save=true and name the files.")
        first = next(iter(configs))
        for name, config in configs.items():
            if trains_backbone(config):
                raise InputError(
                    f"{name} was made by {config.method}, which changes the backbone: it cannot share one."
                )
            if _foundation(config) != _foundation(configs[first]):
                raise InputError(
                    f"{name} and {first} were trained on another backbone or precision: serve them apart."
                )
        if len(configs) < len(files):
            raise InputError(
                "two of the files have the same name: give one of them another, it is how runs are known."
            )
        self.backbone = ready(configs[first])
        self.backbone.hidden_cache = None  # questions do not come again
        self.runs: dict[str, Adapter] = {
            file.stem: weights.load(file, configs[file.stem], self.backbone) for file in files
        }
        tokens = runtime.tokens_per_pass
        self.budget = Budget(ALONE if tokens == "auto" else tokens)

    def answer(self, questions: Sequence[tuple[str, Mapping[str, Any]]]) -> list[list[Answer]]:
        """The answers to each question, given as (where it stands, official row with its `run` or `task`), labels not
        needed. Raises InputError for a question that no prompt, or more than one, is for, and for a malformed row."""
        asked: dict[str, list[int]] = {}
        examples: list[list[Any]] = []
        for index, (where, row) in enumerate(questions):
            run = self._run(row, where)
            asked.setdefault(run, []).append(index)
            examples.append(self.runs[run].task.examples(row, where))
            if not examples[-1]:
                raise InputError(f"{where}: the row asks nothing: correct the line or remove it.")
        together = {run: [example for index in mine for example in examples[index]] for run, mine in asked.items()}
        told = self._told(together)
        return [[next(told[self._run(row, where)]) for _ in examples[i]] for i, (where, row) in enumerate(questions)]

    def _told(self, asked: Mapping[str, Sequence[Any]]) -> dict[str, Iterator[Answer]]:
        """The answers to each run's examples."""
        parts = [self._part(run, examples) for run, examples in asked.items()]
        told: dict[str, Iterator[Answer]] = {}
        for (run, examples), part, found in zip(
            asked.items(), parts, predict(self.backbone, parts, self.budget), strict=True
        ):
            if isinstance(found, Exception):
                raise found
            task = self.runs[run].task
            answers = collect(task, examples, part.examples, found)
            told[run] = iter(
                [
                    {"run": run, **task.format_prediction(one, answer)}
                    for one, answer in zip(examples, answers, strict=True)
                ]
            )
        return told

    def _run(self, row: Mapping[str, Any], where: str) -> str:
        """The run that answers a row: the one it names, or the only one of the task that it names."""
        serving = [name for name, adapter in self.runs.items() if adapter.task.name == row.get("task")]
        if row.get("run") in self.runs:
            return str(row["run"])
        if "run" in row:
            raise InputError(f"{where}: run={row['run']} is not loaded: choose one of {', '.join(self.runs)}.")
        if not serving:
            known = ", ".join(sorted({adapter.task.name for adapter in self.runs.values()}))
            raise InputError(f"{where}: task={row.get('task')} has no loaded run: those of {known} have.")
        if len(serving) > 1:
            raise InputError(
                f"{where}: task={row.get('task')} is served by {len(serving)} of the loaded runs: "
                f'give "run", one of {", ".join(self.runs)}.'
            )
        return serving[0]

    def _part(self, run: str, examples: Sequence[Any]) -> AdapterBatch:
        adapter = self.runs[run]
        encoded = encode(adapter.task, examples, self.backbone.tokenizer, adapter.config.single.max_length)
        return AdapterBatch(adapter, encoded, np.arange(len(encoded)))


def _foundation(config: RunConfig) -> tuple[object, ...]:
    return config.backbone, config.train.precision
