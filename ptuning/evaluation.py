"""A score made from trained prompts without training: they answer a task's dev set and test sets, all of them as
adapters of one pass, each alone and together by a rule (`ptuning.rules`).

trained prompts -> frozen backbone -> answers of each -> one answer by the rule -> evaluation record

Many evaluations of one backbone share its passes: a matrix of prompts and tasks is one stream of questions.

As in Prompt Tuning (Lester et al., 2021), where prompts of one task answer as an ensemble (section 6) and the prompt
of one task answers another (section 5).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ptuning import heads, rules
from ptuning.backbones.backbone import Backbone
from ptuning.config import EvaluationConfig, MixtureConfig, RunConfig, TrainedPrompt, parse
from ptuning.data import splits
from ptuning.data.encoded import Encoded
from ptuning.data.splits import TaskData
from ptuning.devices import device_name, peak_memory, reset_peak_memory
from ptuning.errors import InputError
from ptuning.heads.base import Head
from ptuning.parsed import Run
from ptuning.records import matching, store, weights
from ptuning.records.identity import hashed, identity, run_id, run_name
from ptuning.records.provenance import provenance
from ptuning.records.record import Record, best_scores, mean_scores
from ptuning.records.run_record import backbone_of
from ptuning.records.wandb_log import WandbLogger
from ptuning.run import prepare_backbone
from ptuning.tasks.base import AnyTask
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.measure import choose_budget
from ptuning.training.predictions import predict

T = TypeVar("T")
Answers = dict[str, list[Any]]  # by split, those of each prompt


@dataclass(frozen=True)
class Trained:
    """A trained prompt: its file, the `name` of the run that trained it, and that run without reparameterization, as
    it was (`source`) and as it answers the evaluation's task (`target`)."""

    prompt: TrainedPrompt
    file: Path
    name: str
    source: Run
    target: Run


def finished(config: EvaluationConfig) -> Record | None:
    """The record that stands for the evaluation; None where there is none. Raises InputError for a record of another
    backbone or other local data."""
    record = store.find(config)
    if record is not None:
        matching.check_backbone(config, record)
        matching.check_data(config, record)
    return record


@dataclass(frozen=True)
class Questions:
    """A task's data as a head asks them, and each split encoded: the same for all prompts that answer by that head."""

    task: AnyTask
    data: TaskData
    encoded: Mapping[str, Encoded]

    @classmethod
    def of(cls, task: AnyTask, data: TaskData, adapter: Adapter) -> Questions:
        """A task's data as an adapter's head asks them. Raises InputError where it can ask nothing of them."""
        asked = adapter.asked(data)
        return cls(task, asked, {name: adapter.encode(asked.examples(name)) for name in ("dev", *asked.tests)})


@dataclass(frozen=True)
class Asked:
    """An evaluation that is under way: its prompts as adapters, and what they are asked."""

    config: EvaluationConfig
    trained: Sequence[Trained]
    adapters: Sequence[Adapter]
    questions: Questions

    def batches(self) -> list[AdapterBatch]:
        """Every split put to every prompt."""
        return [
            AdapterBatch(adapter, encoded, np.arange(len(encoded)))
            for encoded in self.questions.encoded.values()
            for adapter in self.adapters
        ]

    def answers(self, predictions: Sequence[list[np.ndarray] | Exception]) -> Answers:
        """Of what was predicted for its `batches`. Raises InputError for numbers that are not finite, and what went
        wrong with a batch."""
        found: Answers = {name: [] for name in self.questions.encoded}
        splits_and_adapters = [(name, adapter) for name in found for adapter in self.adapters]
        for (name, adapter), predicted in zip(splits_and_adapters, predictions, strict=True):
            if isinstance(predicted, Exception):
                raise predicted
            if not all(np.isfinite(one).all() for one in predicted):
                raise InputError(
                    f"a prompt of {run_name(self.config)} answers with numbers that are not finite: leave it out."
                )
            examples, encoded = self.questions.data.examples(name), self.questions.encoded[name]
            found[name].append(adapter.collect(examples, encoded, predicted))
        return found


def evaluate(config: EvaluationConfig) -> Record:
    """Make the evaluation and write its record. Raises InputError as `check` does, and where the prompts or data
    cannot be used."""
    (found,) = evaluate_together([config])
    if isinstance(found, Exception):
        raise found
    return found


def shared(config: EvaluationConfig) -> str:
    """What evaluations have in common that can be made together. Raises InputError as `check` does."""
    return check(config)[0].target.pack_key


def evaluate_together(configs: Sequence[EvaluationConfig]) -> list[Record | InputError]:
    """Make evaluations on one frozen backbone (`shared`) and write their records: all prompts answer all that they are
    asked in one stream of passes, which mix prompts and tasks. In the place of a record is what was wrong with the
    prompts or data of that evaluation. Raises InputError as `check` does."""
    trained = [check(config) for config in configs]
    began = time.perf_counter()
    provenance()  # whatever it needs is found missing now
    backbone = prepare_backbone(trained[0][0].target)
    backbone.hidden_cache = None  # each text is read once a prompt
    reset_peak_memory(backbone.device)
    known: dict[str, Questions] = {}
    asked = [_tried(_asked, config, own, backbone, known) for config, own in zip(configs, trained, strict=True)]
    batches = [[] if isinstance(one, InputError) else one.batches() for one in asked]
    budget = choose_budget(configs[0].runtime.tokens_per_pass, 1, backbone)
    predictions = iter(predict(backbone, [batch for own in batches for batch in own], budget))
    found: list[Record | InputError] = []
    for one, own in zip(asked, batches, strict=True):
        predicted = list(islice(predictions, len(own)))
        found.append(
            one if isinstance(one, InputError) else _tried(_written, one, predicted, backbone, began, configs)
        )
    return found


def _tried(make: Callable[..., T], *given: Any) -> T | InputError:
    try:
        return make(*given)
    except InputError as error:
        return error


def _asked(
    config: EvaluationConfig, trained: Sequence[Trained], backbone: Backbone, known: dict[str, Questions]
) -> Asked:
    """The evaluation with its prompts and questions; those that others have `known`."""
    target = trained[0].target.config
    key = target.model_dump_json(include={"task", "data", "head"})
    loaded = None if key in known else splits.load_for_run(target)
    adapters = [weights.load_for(one.file, one.target.config, backbone) for one in trained]
    for one in trained:
        _check_found_labels(one, known[key].task if loaded is None else loaded[0])
    if loaded is not None:
        known[key] = Questions.of(*loaded, adapters[0])
    return Asked(config, trained, adapters, known[key])


def _check_found_labels(trained: Trained, asked: AnyTask) -> None:
    """Raise InputError where labels that are found in data are others there than those that a prompt was trained on:
    its answers would be read as others."""
    (declared,), known = trained.target.tasks.values(), weights.read_header(trained.file).labels
    if declared.labels or not known or _head(trained.target).needs_data(trained.target.config):
        return
    if list(known) != list(asked.labels):
        raise InputError(
            f"{trained.name} was trained on the labels {', '.join(known)}, and the data of task.name={asked.name} "
            f"have {', '.join(asked.labels)}: give both the same ones (task.options.labels)."
        )


def _written(
    asked: Asked,
    predictions: Sequence[list[np.ndarray] | Exception],
    backbone: Backbone,
    began: float,
    beside: Sequence[EvaluationConfig],
) -> Record:
    """The record of an evaluation, written; `beside` are those that shared its passes, itself included."""
    config, questions = asked.config, asked.questions
    record: Record = {
        "kind": "evaluation",
        "id": run_id(config),
        "status": "finished",
        "config": store.dump(config),
        "identity": identity(config),
        "metric": questions.task.metric,
        **_scores(config, asked.trained, questions.task, questions.data, asked.answers(predictions)),
        "data": _data(questions.data),
        "backbone": backbone_of(asked.trained[0].target, backbone),
        "speed": {
            "seconds": time.perf_counter() - began,
            "evaluations": len(beside),
            "peak_memory_mb": peak_memory(backbone.device) / 2**20,
            "device": device_name(backbone.device),
        },
    } | provenance()
    store.write(config, record)
    WandbLogger().mirror(config, record)
    return record


def _scores(
    config: EvaluationConfig, trained: Sequence[Trained], task: AnyTask, data: TaskData, answers: Answers
) -> dict[str, Any]:
    """The scores of a record: together by the rule, of each prompt alone, and their mean and best."""
    rule = rules.load(config.rule)
    combined = {name: rule.combine(task, data.examples(name), own) for name, own in answers.items()}
    together = _scored(task, data, combined)
    prompts = [
        one.prompt.model_dump()
        | {
            "record": f"{one.name}.json",
            "scores": _scored(task, data, {name: own[index] for name, own in answers.items()}),
        }
        for index, one in enumerate(trained)
    ]
    return {
        "scores": together,
        "mean": mean_scores(prompts),
        "best": best_scores(prompts, task.metric),
        "prompts": prompts,
        "score": together["dev"][task.metric],
    }


def _scored(task: AnyTask, data: TaskData, answers: dict[str, Any]) -> dict[str, Any]:
    """The official metrics of `dev` and of the `tests`, and where the metric is a share of examples, which of dev are
    answered rightly: a digit an example, 1 or 0."""
    scores = {name: task.score(data.examples(name), found) for name, found in answers.items()}
    right = "".join(map(str, task.is_correct(data.dev, answers["dev"])))
    return {"dev": scores.pop("dev"), "tests": scores, **({"right": right} if right else {})}


def _data(data: TaskData) -> dict[str, Any]:
    found: dict[str, Any] = {"source": data.source, "fingerprint": data.fingerprint, "dev_examples": len(data.dev)}
    if data.tests:
        found["test_examples"] = {name: len(examples) for name, examples in data.tests.items()}
    return found


def check(config: EvaluationConfig) -> list[Trained]:
    """The prompts of the evaluation, found to be there and to go together, and to be able to answer its task. Raises
    InputError for whatever can be seen to be wrong before any data or model is read."""
    rule, count = rules.load(config.rule), len(config.prompts)
    if count < rule.fewest or (rule.most is not None and count > rule.most):
        wanted = f"{rule.fewest} or more" if rule.most is None else rule.most
        raise InputError(f"rule={config.rule} is of {wanted} prompt(s), and {count} are given: give as many.")
    if len(set(config.prompts)) < count:
        raise InputError(f"a prompt of {run_name(config)} is given twice: name each once.")
    trained = [_trained(config, prompt) for prompt in config.prompts]
    for one in trained:
        _check_like(trained[0], one)
        if count > 1 and one.source.trains_backbone:
            raise InputError(
                f"{one.name} was made by {one.source.config.method}, which changes the backbone: it cannot answer "
                "beside others; choose rule=single."
            )
    return trained


def _trained(config: EvaluationConfig, prompt: TrainedPrompt) -> Trained:
    """Raises InputError where its weights are not there, or cannot answer the evaluation's task."""
    file = weights.trained_file(prompt, config.runtime)
    stored = parse(RunConfig, {**weights.read_header(file).config, "runtime": config.runtime}, str(file))
    if run_id(stored) != prompt.id:
        raise InputError(f"{file} holds the weights of another run ({run_name(stored)}): restore it, or train again.")
    if isinstance(stored.task, MixtureConfig):
        raise InputError(f"{run_name(stored)} is of the mixture {stored.task.name}: give runs on one task.")
    source = Run.parse(weights.read_config(file, config.runtime))
    _check_head(config, source)
    changed = {"backbone": config.backbone, "task": config.task, "data": config.data, "head": config.head}
    target = Run.parse(source.config.model_copy(update=changed))
    _check_answers(config, source, target)
    return Trained(prompt, file, run_name(stored), source, target)


def _check_head(config: EvaluationConfig, source: Run) -> None:
    """Raise InputError where the evaluation has another backbone or head than the run."""
    if source.config.backbone.without_text != config.backbone.without_text:
        raise InputError(
            f"{source.name} was trained on backbone.name={source.config.backbone.name}, and the evaluation is on "
            f"{config.backbone.name} or another pooler: give prompts of one backbone."
        )
    name = heads.name_of(_head(source))
    if name != config.head.name:
        raise InputError(
            f"{source.name} has head={name}, and the evaluation head={config.head.name}: give prompts of one head."
        )


def _check_answers(config: EvaluationConfig, source: Run, target: Run) -> None:
    """Raise InputError where what was trained on the source's task cannot answer the target's."""
    task = next(iter(target.tasks.values()))
    own, head = next(iter(source.tasks.values())), _head(source)
    if unknown := [label for label in config.labels if label not in task.labels]:
        raise InputError(
            f"labels.{unknown[0]} is no label of task.name={task.name}: they are {', '.join(task.labels)}."
        )
    called = [config.labels.get(label, label) for label in task.labels]
    if not head.carries_over(own.labels, called):
        raise InputError(
            f"{source.name} was trained on the labels {', '.join(own.labels)}, and cannot answer "
            f"task.name={task.name} with {', '.join(called)}: choose another task, or where they mean the same, "
            "in the same order, say so in labels."
        )


def _check_like(first: Trained, other: Trained) -> None:
    """Raise InputError where prompts cannot be compared or share a pass."""
    for what, of in (("task", _task), ("precision", _precision), ("keys of the head", _keys)):
        if of(first.source) != of(other.source):
            raise InputError(
                f"{first.name} and {other.name} differ in the {what}: give prompts that have it in common."
            )


def _head(run: Run) -> type[Head]:
    return next(iter(run.heads.values()))


def _task(run: Run) -> object:
    return identity(run.config)["task"]


def _precision(run: Run) -> str:
    return run.config.train.precision


def _keys(run: Run) -> object:
    keys = heads.keys(run.config, _head(run))
    return None if keys is None else hashed(keys)
