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
from ptuning.config import MixtureConfig, RunConfig, RuntimeConfig, parse
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.prompts import prompt
from ptuning.records import configs, store
from ptuning.records.identity import run_name
from ptuning.training.adapter import Adapter
from ptuning.training.lanes import LaneTask

State = dict[str, Tensor]


def trained_state(members: Sequence[LaneTask], backbone: Backbone) -> State:
    """The prompt (folded), the head (of a mixture one a set, by its name), and the backbone where the method trains
    it; copied to the CPU."""
    adapter = members[0].adapter
    state = {f"prompt.{key}": value for key, value in adapter.method.folded().items()}
    for member in members:
        prefix = "head." if len(members) == 1 else f"head.{member.name}."
        state |= {f"{prefix}{key}": value for key, value in member.adapter.head.state_dict().items()}
    if adapter.method.trains_backbone:
        state |= {f"backbone.{key}": value for key, value in backbone.model.state_dict().items()}
    return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in state.items()}


def path(run: RunConfig) -> Path:
    """Where a run's weights are saved."""
    return run.runtime.weights / f"{run_name(run)}.safetensors"


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
    values |= {"prompt": prompt.folded_config(values["prompt"]), "runtime": runtime}
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
    if methods.load(folded.method).trains_backbone:
        backbone.model.load_state_dict(_part(state, "backbone.", backbone.device))
    return adapter.eval()


def init_from(source: RunConfig, adapter: Adapter) -> None:
    """Initialize the prompt of `adapter` with the one that the run `source` trained. Raises InputError where that is
    not there."""
    file = path(source)
    saved = read_config(file, source.runtime)
    if saved.selection != source.selection:
        raise InputError(
            f"{file} holds the epoch chosen by {saved.selection}, and prompts are initialized with the "
            f"{source.selection} one of a source run: delete it and its record to train it again."
        )
    adapter.method.load_folded(_part(load_state(file), "prompt.", next(adapter.method.parameters()).device))


def load_state(file: Path) -> State:
    """All tensors of a file that `write` has written."""
    with safe_open(file, "pt") as stored:
        return {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)


def _part(state: State, prefix: str, device: torch.device) -> State:
    return {key.removeprefix(prefix): value.to(device) for key, value in state.items() if key.startswith(prefix)}
