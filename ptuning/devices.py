"""The devices of this machine: choosing one, and what a record says of it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence

import torch

from ptuning.errors import InputError


def find_device(wanted: str, key: str = "runtime.device") -> torch.device:
    """The device `wanted`, as `key` names it, where `auto` is the GPU if there is one. Raises InputError for one that
    is not here."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    here = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    here += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted not in here:
        raise InputError(f"{key}={wanted} is not on this machine: choose one of auto, {', '.join(here)}.")
    return torch.device(wanted)


def worker_devices(wanted: str | Sequence[str]) -> list[str]:
    """The devices of a sweep, as `hydra.launcher.devices` names them, one worker process each: `auto` is every GPU
    here, or the CPU. Raises InputError."""
    if wanted != "auto":
        chosen = list(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]
        if not chosen:
            raise InputError("hydra.launcher.devices=[] names none: leave it out, or name one of them.")
        for device in chosen:
            find_device(device, "hydra.launcher.devices")
        return chosen
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory` count from now on, where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> float:
    """Bytes at the peak: what this process allocated on a GPU, or the process's largest resident size so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def device_name(device: torch.device) -> str:
    """The GPU's model, or `cpu`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
