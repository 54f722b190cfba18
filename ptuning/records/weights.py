"""The weights that a run trained, as safetensors: the prompt without its reparameterization, the head, and the
backbone where the method trains it. The header holds the run's config and the content of the backbone that it was
trained on, so that a prompt never answers, or is gone on with, on another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ptuning import methods
from ptuning.backbones.backbone import Backbone
from ptuning.backbones.content import Content
from ptuning.config import BackboneConfig, MixtureConfig, RunConfig, RuntimeConfig, Source, parse
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.methods.base import folded_config
from ptuning.parsed import Run
from ptuning.prompts.inits.base import SourcePrompt
from ptuning.records import configs, matching, store
from ptuning.records.identity import run_name
from ptuning.records.record import Record, last_step
from ptuning.training.adapter import Adapter
from ptuning.training.lanes import LaneTask

State = dict[str, Tensor]
Step = int | str  # how many, `last` or `best`


@dataclass(frozen=True)
class Header:
    """What a file says of itself: the config of its run, in today's form; the content of the backbone that this was
    trained on, empty where an older file does not hold it; and the names of its tensors."""

    config: Mapping[str, Any]
    backbone: Content
    tensors: Sequence[str]


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
    """Where a run's weights are kept: all that it trained, as of the epoch that it is reported by, or with `step`, in
    a folder of their own, its prompt alone as of then (`runtime.keep_steps`)."""
    if step is None:
        return run.runtime.weights / f"{run_name(run)}.safetensors"
    return _steps(run.runtime) / f"{run_name(run)}-step-{step}.safetensors"


def _steps(runtime: RuntimeConfig) -> Path:
    """The folder of prompts that answer nothing, having no head: apart from the files that are given to answer."""
    return runtime.weights / "steps"


def write(file: Path, run: RunConfig, state: State, backbone: Mapping[str, Any]) -> Path:
    """Write `state` atomically; the header holds the config, and what the run's record says of the `backbone`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {key: value for key, value in backbone.items() if key in matching.COMPARED}
    header = {"format": "pt", "config": json.dumps(store.dump(run)), "backbone": json.dumps(content)}
    write_atomic(file, save(state, header))
    return file


def read_header(file: Path) -> Header:
    """Raises InputError for a file that `write` has not written."""
    if not file.is_file():
        raise InputError(f"{file} does not exist: train with runtime.save=true to keep a run's weights.")
    try:
        with safe_open(file, "pt") as stored:
            said = stored.metadata() or {}
            config = configs.upgrade(json.loads(said["config"]))
            return Header(config, json.loads(said.get("backbone", "{}")), list(stored.keys()))
    except (SafetensorError, KeyError):
        raise InputError(f"{file} holds no run's weights: give a file that runtime.save=true has written.") from None


def read_config(file: Path, runtime: RuntimeConfig) -> RunConfig:
    """The run whose weights `write` saved, in the form in which they load: without reparameterization.

    Raises InputError for any other file, and for one that holds a prompt alone.
    """
    header = read_header(file)
    if not any(name.startswith("head.") for name in header.tensors):
        raise InputError(
            f"{file} holds the prompt of one of the run's steps, without a head to answer with: give the file that "
            "runtime.save=true has written."
        )
    values = {"prompt": folded_config(header.config["prompt"]), "sources": {}, "runtime": runtime}
    return parse(RunConfig, {**header.config, **values}, str(file))


def load(file: Path, run: RunConfig, backbone: Backbone) -> Adapter:
    """The adapter whose weights `write` saved, ready to predict; what it is stands in the file, where and how it runs
    in `run`.

    Raises InputError where the file is missing or was trained on another backbone.
    """
    folded = read_config(file, run.runtime)
    if isinstance(folded.task, MixtureConfig):
        raise InputError(f"{file} is of the mixture {folded.task.name}: give a run on one task that started from it.")
    check_backbone(file, run.backbone, backbone)
    state = load_state(file)
    adapter = Adapter(Run.parse(folded), folded.task.name, backbone)
    adapter.method.load_folded(_part(state, "prompt.", backbone.device))
    adapter.head.load_state_dict(_part(state, "head.", backbone.device))
    if methods.trains_backbone(folded):
        backbone.model.load_state_dict(_part(state, "backbone.", backbone.device))
    return adapter.eval()


def check_backbone(file: Path, config: BackboneConfig, backbone: Backbone) -> None:
    """Raise InputError where the file's weights were trained on another backbone than the one that `config` names.

    Its content decides; of an older file, which does not hold it, the name.
    """
    header = read_header(file)
    there, name = header.backbone, header.config["backbone"]["name"]
    differing = matching.difference(there, backbone.content)
    if differing is not None:
        raise InputError(
            f"{file} was trained on another backbone (backbone.name={name}) than the one that is called "
            f"backbone.name={config.name} here (backbone.id={config.id}), {differing}; load the other, or train anew "
            "on this one under another backbone.name."
        )
    if not there and name != config.name:
        raise InputError(f"{file} was trained on backbone.name={name}, not on {config.name}: load that one for it.")


def source_file(source: Source, runtime: RuntimeConfig) -> Path:
    """Where a source's prompt is. Raises InputError where there is none."""
    if isinstance(source.run, RunConfig):
        file = path(source.run, source.step)
        if file.exists():
            return file
        _check_reached(source, store.find(source.run))
        raise InputError(
            f"the source {source.name} left no prompt of step={source.step}: see what became of "
            f"{run_name(source.run)}."
        )
    pattern = f"*-{source.run}-step-{source.step}.safetensors"
    found = sorted(_steps(runtime).glob(pattern))
    if not found:
        _check_reached(source, store.find_id(runtime.results, source.run))
        raise InputError(
            f"sources.{source.name}.id={source.run} has no {pattern} in {_steps(runtime)}: check the id and "
            f"runtime.weights, or train that run with runtime.keep_steps=[{source.step}]."
        )
    return found[0]


def _check_reached(source: Source, record: Record | None) -> None:
    """Raise InputError where the source's record says that it stopped before the step that is asked for."""
    reached = None if record is None else last_step(record)
    if reached is not None and isinstance(source.step, int) and reached < source.step:
        raise InputError(
            f"sources.{source.name}.step={source.step} was never taken: that run stopped at step {reached}; set an "
            "earlier one, last or best."
        )


def sources(run: RunConfig, backbone: Backbone) -> list[SourcePrompt]:
    """The prompts that a run starts from. Raises InputError where one is not there, or is of another backbone."""
    found = []
    for one in run.source_runs:
        file = source_file(one, run.runtime)
        check_backbone(file, run.backbone, backbone)
        found.append(SourcePrompt(one.name, load_state(file)["prompt.prompt"], one.weight))
    return found


def load_state(file: Path) -> State:
    """All tensors of a file that `write` has written."""
    with safe_open(file, "pt") as stored:
        return {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)


def _part(state: State, prefix: str, device: torch.device) -> State:
    return {key.removeprefix(prefix): value.to(device) for key, value in state.items() if key.startswith(prefix)}
