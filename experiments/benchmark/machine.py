"""What a measurement ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch
import transformers

from experiments.benchmark.work import Work


def device(work: Work, **others: str) -> dict[str, Any]:
    """The device and the libraries; `others` are precisions beside ours."""
    cuda = work.device.type == "cuda"
    return {
        "kind": work.device.type,
        "name": torch.cuda.get_device_name(work.device) if cuda else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "precision": {"ours": str(work.precision).removeprefix("torch."), **others},
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
