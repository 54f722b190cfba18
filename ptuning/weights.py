"""What a run trained, on disk: safetensors, folded, with the config that reads it in the header."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ptuning import methods, prompts, records, tasks
from ptuning.backbone import Backbone
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.lanes import Adapter

State = dict[str, Tensor]


def trained_state(adapter: Adapter, backbone: Backbone) -> State:
    """The prompt (folded), the head, and the backbone where the method trains it; copied to the CPU."""
    state = {f"prompt.{key}": value for key, value in adapter.method.folded().items()}
    state |= {f"head.{key}": value for key, value in adapter.head.state_dict().items()}
    if adapter.method.trains_backbone:
        state |= {f"backbone.{key}": value for key, value in backbone.model.state_dict().items()}
    return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in state.items()}


def path(config: RunConfig) -> Path:
    """Where a run's weights are kept."""
    return config.runtime.weights / f"{records.name(config)}.safetensors"


def write(file: Path, config: RunConfig, state: State) -> Path:
    """Write `state` atomically; the header holds the config."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, save(state, {"format": "pt", "config": json.dumps(records.dump(config))}))
    return file


def load(file: Path, config: RunConfig, backbone: Backbone) -> Adapter:
    """The adapter that `write` kept, ready to predict; `config` says where and how to run, the file what.

    Raises InputError where the file is missing or was trained on another backbone.
    """
    if not file.is_file():
        raise InputError(f"{file} does not exist: train with runtime.save=true to keep a run's weights.")
    with safe_open(file, "pt") as stored:
        kept = json.loads(stored.metadata()["config"])
        state = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)
    if kept["backbone"] != config.backbone.model_dump():
        raise InputError(f"{file} was trained on backbone={kept['backbone']['name']}: load that backbone for it.")
    folded = RunConfig.model_validate(
        kept | {"prompt": prompts.folded_config(kept["prompt"]), "runtime": config.runtime}
    )
    adapter = Adapter(folded, tasks.load(folded.task.name, **folded.task.options), backbone)
    adapter.method.load_folded(_part(state, "prompt.", backbone.device))
    adapter.head.load_state_dict(_part(state, "head.", backbone.device))
    if methods.load(folded.method).trains_backbone:
        backbone.model.load_state_dict(_part(state, "backbone.", backbone.device))
    return adapter.eval()


def _part(state: State, prefix: str, device: torch.device) -> State:
    return {key.removeprefix(prefix): value.to(device) for key, value in state.items() if key.startswith(prefix)}
