"""A parsed run: its config and all that the config names, looked up once and handed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ptuning import heads, methods, tasks
from ptuning.backbones import load
from ptuning.config import RunConfig
from ptuning.devices import find_device
from ptuning.errors import InputError
from ptuning.heads.base import Head
from ptuning.methods.base import Method, PromptConfig
from ptuning.records.identity import run_id, run_name
from ptuning.tasks.base import AnyTask
from ptuning.training import epoch_selection


@dataclass(frozen=True)
class Run:
    """One (backbone, method, head, task, hyperparameters, seed), found to be right as far as its config tells.

    `tasks` and `heads` go by the names of the sets that the run learns from: one, or those of its mixture; `prompt`
    is the method's own part of the config, None where it has no prompt; `sources` are the runs whose trained prompts
    this one starts from (those that it does not know by their ids alone).
    """

    config: RunConfig
    id: str
    name: str  # of its files, without their endings
    method: type[Method]
    prompt: PromptConfig | None
    tasks: Mapping[str, AnyTask]
    heads: Mapping[str, type[Head]]
    sources: Sequence[Run]

    @classmethod
    def parse(cls, config: RunConfig) -> Run:
        """Raises InputError for whatever can be seen to be wrong before any data or model is read."""
        sets = {name: tasks.of(one.single) for name, one in config.by_task.items()}
        epoch_selection.rule(config.selection)
        if config.runtime.device != "auto":
            find_device(config.runtime.device)
        method = methods.load(config.method)
        methods.check(config)
        chosen = {name: heads.of_run(config, task) for name, task in sets.items()}
        _check_rows(config, chosen)
        _check_steps(config, method, chosen)
        if any(head.needs_language_model for head in chosen.values()):
            load.check_lm_head(config.backbone)
        return cls(
            config, run_id(config), run_name(config), method,
            prompt=methods.prompt_of(config),
            tasks=sets,
            heads=chosen,
            sources=_parse_sources(config),
        )  # fmt: skip

    @property
    def trains_backbone(self) -> bool:
        """Whether the run changes the backbone, and so cannot share it."""
        return methods.trains_backbone(self.config)

    @property
    def pack_key(self) -> str:
        """What runs must have in common to be lanes of one pack: not the pooler, which is their heads'."""
        shared = self.config.model_dump_json(
            include={
                "backbone": {"name", "source", "id", "revision", "adaptation"},
                "train": {"precision", "backbone_dropout"},
                "runtime": {"device", "attention", "gradient_checkpointing", "results"},
            }
        )
        return self.id + shared if self.trains_backbone else shared

    @property
    def results(self) -> Path:
        """The folder of its record."""
        return self.config.runtime.results / "runs"

    def answering(self, tasks: Mapping[str, AnyTask]) -> Run:
        """The run with `tasks` for its own, which have the labels of their data."""
        return replace(self, tasks=tasks)

    def on_device(self, device: str, **runtime: bool) -> Run:
        """The run on `device`, unless it says itself where it wants to be, and with other `runtime` keys as given."""
        where = device if self.config.runtime.device == "auto" else self.config.runtime.device
        changed = self.config.runtime.model_copy(update={"device": where, **runtime})
        return replace(self, config=self.config.model_copy(update={"runtime": changed}))


def _check_rows(config: RunConfig, chosen: Mapping[str, type[Head]]) -> None:
    """Raise InputError where a prompt stands at a template's places, and its rows are not as many."""
    if (config.prompt or {}).get("placement") != "template":
        return
    length = (config.prompt or {}).get("length")
    for name, head in chosen.items():
        rows = head.rows(config.by_task[name])
        if not rows:
            raise InputError(
                "prompt.placement=template is where a template has places for a prompt, and this run's head has none "
                "with <p>: choose head=verbalizer and write <p> into head.template, or set prompt.placement=prefix."
            )
        if rows != length:
            raise InputError(
                f"prompt.length={length}, and head.template has places (<p>) for {rows}: make prompt.length {rows}, "
                "or write as many <p>."
            )


def _check_steps(config: RunConfig, method: type[Method], chosen: Mapping[str, type[Head]]) -> None:
    """Raise InputError where a run takes steps that could change nothing, or none, and its head would be random."""
    has_weights = any(head.has_weights for head in chosen.values())
    if config.train.steps == 0 and has_weights:
        raise InputError(
            "train.steps=0 evaluates a run as it starts, and its head starts with random weights: choose a head that "
            "has none (head=verbalizer), or take steps."
        )
    if config.train.steps != 0 and not (has_weights or method.groups or methods.trains_backbone(config)):
        raise InputError(
            f"this run trains nothing, since method={config.method} has no prompt, the backbone is frozen and the "
            "head has no weights: choose another method, or method=zero_shot."
        )


def _parse_sources(config: RunConfig) -> list[Run]:
    return [Run.parse(source.run) for source in config.source_runs if isinstance(source.run, RunConfig)]
