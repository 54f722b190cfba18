"""From overrides to evaluations: which are made of the runs that a command line or an experiment asks for.

They follow from configs and records alone, so that tables and status work where weights are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ptuning import heads, rules, tasks
from ptuning.config import (
    DataConfig,
    EvaluateConfig,
    EvaluationConfig,
    HeadConfig,
    MixtureConfig,
    RunConfig,
    RuntimeConfig,
    SimilarityConfig,
    TargetConfig,
    TrainedPrompt,
    parse,
)
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import configs, store, weights
from ptuning.records.identity import run_id, source_id
from ptuning.records.record import kind


@dataclass(frozen=True)
class Asked:
    """An evaluation, the runs whose prompts it is of, and the name of what they answer, one of their targets (`own`:
    what they were trained on, where there are none)."""

    config: EvaluationConfig
    runs: Sequence[RunConfig]
    target: str


def expand(overrides: Sequence[str]) -> list[EvaluationConfig]:
    """The evaluations, once each, of all runs that `overrides` ask for; none where `evaluate.rule` is not set.

    Raises InputError for the first thing that is wrong with any of them.
    """
    return list({run_id(one.config): one.config for one in asked(overrides)}.values())


def asked(overrides: Sequence[str]) -> list[Asked]:
    """As `expand`, with the runs of each."""
    composed = [(job, _wanted(job)) for job in compose.composed_jobs(overrides)]
    jobs = [(compose.read(job), wanted, wanted.rule) for job, wanted in composed if wanted.rule is not None]
    groups: dict[str, tuple[EvaluateConfig, list[RunConfig]]] = {}
    for job, wanted, name in jobs:
        rule = rules.load(name)
        named = _named(wanted, job.runtime, overrides) if wanted.prompts else [job]
        for run in named:
            key = run_id(run) if rule.most == 1 else "together" if wanted.prompts else _but_for_seed(run)
            groups.setdefault(f"{key} {wanted.model_dump_json()}", (wanted, []))[1].append(run)
    return [made for wanted, runs in groups.values() for made in _of(wanted, runs)]


def compared(overrides: Sequence[str]) -> list[SimilarityConfig]:
    """The prompts that are compared with each other, those of each backbone together, of all runs that `overrides` ask
    for with `evaluate.similarity`; of a run with sources, these."""
    groups: dict[str, tuple[RunConfig, list[TrainedPrompt]]] = {}
    for job in compose.composed_jobs(overrides):
        step = _wanted(job).similarity
        if step is not None:
            run = compose.read(job)
            ids = [source_id(source) for source in run.source_runs] or [run_id(run)]
            prompts = groups.setdefault(run.backbone.model_dump_json(), (run, []))[1]
            prompts += [one for one in (TrainedPrompt(id=one, step=step) for one in ids) if one not in prompts]
    return [
        parse(SimilarityConfig, {"backbone": run.backbone, "prompts": prompts, "runtime": run.runtime}, "evaluate")
        for run, prompts in groups.values()
    ]


def _wanted(composed: DictConfig) -> EvaluateConfig:
    node: Any = OmegaConf.to_container(composed.evaluate, resolve=True)
    return parse(EvaluateConfig, node, "evaluate")


def _but_for_seed(run: RunConfig) -> str:
    return run.model_dump_json(exclude={"seed", "runtime"})


def _named(wanted: EvaluateConfig, runtime: RuntimeConfig, overrides: Sequence[str]) -> list[RunConfig]:
    """The runs of `evaluate.prompts`, from their records. Raises InputError where one has none, or has trained
    nothing; and for an override that says, too, which runs are asked for."""
    for override in overrides:
        if (
            not override.lstrip("+").partition("=")[0].startswith(("evaluate.", "runtime."))
            and "@evaluate." not in override
        ):
            raise InputError(f"{override} is refused: evaluate.prompts says already which runs; remove one of them.")
    return [_of_id(identifier, runtime) for identifier in wanted.prompts]


def _of_id(identifier: str, runtime: RuntimeConfig) -> RunConfig:
    record = store.find_id(runtime.results, identifier) if len(identifier) == 10 else None
    if record is None:
        raise InputError(
            f"evaluate.prompts={identifier} is unknown: {runtime.results / 'runs'} has no record with that id; give "
            "the ten digits at the end of a record's name."
        )
    if kind(record) != "run" or record["status"] == "diverged":
        raise InputError(f"evaluate.prompts={identifier} is of no run that has trained a prompt: give another.")
    return configs.parse_run(record["config"], runtime)


def _of(wanted: EvaluateConfig, runs: Sequence[RunConfig]) -> Iterable[Asked]:
    """The evaluations of runs that answer together: one for each target."""
    targets = wanted.targets or {"own": TargetConfig()}
    for name, target in targets.items():
        yield Asked(_evaluation(wanted, runs, target, f"evaluate.targets.{name}"), runs, name)


def _evaluation(
    wanted: EvaluateConfig, runs: Sequence[RunConfig], target: TargetConfig, prefix: str
) -> EvaluationConfig:
    first = runs[0]
    if isinstance(first.task, MixtureConfig):
        raise InputError(f"evaluate.rule={wanted.rule} is of runs on one task, and {first.task.name} is a mixture.")
    task = target.task or first.task
    values = {
        "backbone": first.backbone,
        "task": task,
        "data": parse(DataConfig, first.data.model_dump() | _source(first, target) | target.data, f"{prefix}.data"),
        "head": _head(first, target),
        "rule": wanted.rule,
        "prompts": [TrainedPrompt(id=run_id(run), step=wanted.step or weights.saved_step(run)) for run in runs],
        "labels": target.labels,
        "runtime": first.runtime,
    }
    return parse(EvaluationConfig, values, prefix)


def _source(run: RunConfig, target: TargetConfig) -> dict[str, str]:
    """Where a target's data come from, where those of the run are what is bundled with its task."""
    assert not isinstance(run.task, MixtureConfig)
    if target.task is not None and target.task.bundled and run.data.source == run.task.bundled:
        return {"source": target.task.bundled}
    return {}


def _head(run: RunConfig, target: TargetConfig) -> HeadConfig:
    """The head of the run by its own name, with the keys that it has for the target."""
    task = run.single
    head = heads.of_run(run, tasks.of(task))
    return HeadConfig.model_validate({"name": heads.name_of(head)} | run.head.keys | target.head)
