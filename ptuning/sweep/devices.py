"""The devices that a sweep works on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ptuning.config import RunConfig
from ptuning.run import device


def devices(wanted: str | Sequence[str]) -> list[str]:
    """The devices to work on, one worker process each: `auto` is every GPU here, or the CPU. Raises InputError."""
    if wanted != "auto":
        chosen = [wanted] if isinstance(wanted, str) else list(wanted)
        for one in chosen:
            device(one)
        return chosen
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def on_device(config: RunConfig, device: str, **runtime: bool) -> RunConfig:
    """The run on `device`, unless it says itself where it wants to be, and with other `runtime` keys as given."""
    where = device if config.runtime.device == "auto" else config.runtime.device
    return config.model_copy(update={"runtime": config.runtime.model_copy(update={"device": where, **runtime})})
