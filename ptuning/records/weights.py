"""The weights that a run trained, as safetensors: the prompt without its reparameterization, the head, and the
backbone where the method trains it. The header holds the run's config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ptuning import methods, tasks
from ptuning.backbones.backbone import Backbone
from ptuning.config import MixtureConfig, RunConfig, RuntimeConfig, Source, parse
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.methods.base import folded_config
from ptuning.prompts.inits.base import SourcePrompt
from ptuning.records import configs, store
from ptuning.records.identity import run_name
from ptuning.training.adapter import Adapter
from ptuning.training.lanes import LaneTask

State = dict[str, Tensor]
Step = int | str  # how many, `last` or `best`


def trained_state(lane_tasks: Sequence[LaneTask], backbone: Backbone) -> State:
    """The prompt (folded), the head (of a mixture one a set, by its name), and the backbone where the method trains
    it; copied to the CPU."""
    adapter = lane_tasks[0].adapter
    state = {f"prompt.{key}": value for key, value in adapter.method.folded().items()}
    for lane_task in lane_tasks:
        prefix = "head." if len(lane_tasks) == 1 else f"head.{lane_task.name}."
        state |= {f"{prefix}{key}": value for key, value in lane_task.adapter.head.state_dict().items()}
    if methods.trains_backbone(adapter.config):
        state |= {f"backbone.{key}": value for key, value in backbone.model.state_dict().items()}
    return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in state.items()}


def path(run: RunConfig, step: Step | None = None) -> Path:
    """Where a run's weights are kept: all that it trained, as of the epoch that it is reported by, or with `step` its
    prompt as of then (`runtime.keep_steps`)."""
    name = run_name(run) if step is None else f"{run_name(run)}-step-{step}"
    return run.runtime.weights / f"{name}.safetensors"


def write(file: Path, run: RunConfig, state: State) -> Path:
    """Write `state` atomically; the header holds the config."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, save(state, {"format": "pt", "config": json.dumps(store.dump(run))}))
    return file


def read_config(file: Path, runtime: RuntimeConfig) -> RunConfig:
    """The run whose weights `write` saved, in the form in which they load: without reparameterization.

    Raises InputError for any other file.
    """
    if not file.is_file():
        raise InputError(f"{file} does not exist: train with runtime.save=true to keep a run's weights.")
    try:
        with safe_open(file, "pt") as stored:
            values = configs.upgrade(json.loads((stored.metadata() or {})["config"]))
    except (SafetensorError, KeyError):
        raise InputError(f"{file} holds no run's weights: give a file that runtime.save=true has written.") from None
    values |= {"prompt": folded_config(values["prompt"]), "sources": {}, "runtime": runtime}
    return parse(RunConfig, values, str(file))


def load(file: Path, run: RunConfig, backbone: Backbone) -> Adapter:
    """The adapter whose weights `write` saved, ready to predict; what it is stands in the file, where and how it runs
    in `run`.

    Raises InputError where the file is missing or was trained on another backbone.
    """
    folded = read_config(file, run.runtime)
    if isinstance(folded.task, MixtureConfig):
        raise InputError(f"{file} is of the mixture {folded.task.name}: give a run on one task that started from it.")
    if folded.backbone != run.backbone:
        raise InputError(f"{file} was trained on backbone={folded.backbone.name}: load that backbone for it.")
    state = load_state(file)
    adapter = Adapter(folded, tasks.load(folded.task.name, **folded.task.options), backbone)
    adapter.method.load_folded(_part(state, "prompt.", backbone.device))
    adapter.head.load_state_dict(_part(state, "head.", backbone.device))
    if methods.trains_backbone(folded):
        backbone.model.load_state_dict(_part(state, "backbone.", backbone.device))
    return adapter.eval()


def source_file(source: Source, runtime: RuntimeConfig) -> Path:
    """Where a source's prompt is. Raises InputError where there is none."""
    if isinstance(source.run, RunConfig):
        file = path(source.run, source.step)
        if file.exists():
            return file
        raise InputError(
            f"the source {source.name} left no prompt of step={source.step}: see what became of "
            f"{run_name(source.run)}."
        )
    pattern = f"*-{source.run}-step-{source.step}.safetensors"
    found = sorted(runtime.weights.glob(pattern))
    if not found:
        raise InputError(
            f"sources.{source.name}.id={source.run} has no {pattern} in {runtime.weights}: train that run with "
            f"runtime.keep_steps=[{source.step}]."
        )
    return found[0]


def sources(run: RunConfig) -> list[SourcePrompt]:
    """The prompts that a run starts from. Raises InputError where one is not there."""
    return [
        SourcePrompt(one.name, load_state(source_file(one, run.runtime))["prompt.prompt"], one.weight)
        for one in run.source_runs
    ]


def load_state(file: Path) -> State:
    """All tensors of a file that `write` has written."""
    with safe_open(file, "pt") as stored:
        return {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)


def _part(state: State, prefix: str, device: torch.device) -> State:
    return {key.removeprefix(prefix): value.to(device) for key, value in state.items() if key.startswith(prefix)}
