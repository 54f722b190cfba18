"""Shared pieces: tiny random backbones, and runs on them."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptuning.backbones import dropout, tiny

os.environ["HF_HUB_OFFLINE"] = "1"  # no test uses the network

import pytest
import torch

from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig

torch.set_num_threads(1)  # the backbones are tiny: threads would only wait for each other

SUPERGLUE = ["boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc"]
GLUE = ["cola", "mnli", "mrpc", "qnli", "qqp", "snli", "sst2"]  # and stsb, which is answered with a number
OPTIONS = {"squad": {"stride": 16}, "squad_v2": {"stride": 16}}  # of tasks whose own do not fit the tiny texts
# Families built alike: embeddings, then encoder.layer; the others have their tests in test_architectures.
ENCODERS = ["tiny_bert", "tiny_roberta", "tiny_deberta", "tiny_deberta_v2", "tiny_mpnet"]
NONE, MLP = {"name": "none"}, {"name": "mlp", "hidden": 16}
LSTM = {"name": "lstm", "layers": 2, "hidden": None, "dropout": 0.0}
PROMPTS: dict[str, dict[str, Any] | None] = {
    "dept": {
        "length": 3, "placement": "prefix", "positions": "shift", "reparameterization": {"name": "none"},
        "init": {"name": "normal", "std": 0.5}, "dropout": 0.0, "offset_length": 10, "rank": 4, "alpha": 8.0,
    },
    "fine_tuning": None,
    "prompt_tuning": {
        "length": 3, "placement": "prefix", "positions": "shift", "reparameterization": {"name": "none"},
        "init": {"name": "normal", "std": 0.5}, "dropout": 0.0, "double_embedding": False,
    },
    "p_tuning": {
        "length": 3, "placement": "prefix", "positions": "shift", "reparameterization": LSTM,
        "init": {"name": "torch_default"}, "dropout": 0.0,
    },
    "zero_shot": None,
    "p_tuning_v2": {
        "length": 3, "placement": "prefix", "positions": "shift", "reparameterization": {"name": "none"},
        "init": {"name": "normal", "std": 0.5}, "dropout": 0.0, "layers": "all",
    },
    "prefix_tuning": {
        "length": 3, "placement": "prefix", "positions": "shift", "reparameterization": MLP,
        "init": {"name": "normal", "std": 0.5}, "dropout": 0.0, "layers": "all", "stacks": "all",
    },
}  # fmt: skip


def make_backbone(name: str = "tiny_bert", attention: str = "sdpa", **shape: Any) -> Backbone:
    model, tokenizer = tiny.build(name, 0.0, f"prompted_{attention}", **shape)
    model.pooler = None
    dropout.switch_off(model)
    return Backbone(model, tokenizer, None).eval()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunConfig]:
    """A run on a tiny backbone and a miniature task; dotted keys override, `prompt` entries too."""

    def make(method: str = "p_tuning_v2", task: str = "rte", seed: int = 1, **overrides: Any) -> RunConfig:
        prompt = PROMPTS[method]
        values: dict[str, Any] = {
            "backbone": {"name": "tiny_bert", "source": "random", "id": "tiny_bert", "pooler": "none"},
            "task": {"name": task, "max_length": 96, "bundled": "miniature", "options": {}},
            "data": {"source": "miniature", "train_rows": 12, "dev_rows": 8},
            "method": method,
            "prompt": copy.deepcopy(prompt),
            "train": {
                "epochs": 2, "batch_size": 4, "lr": 1e-2, "schedule": "linear", "gamma": 0.95, "warmup": 0.0,
                "weight_decay": 0.0, "clip": 1.0, "head_dropout": 0.1, "backbone_dropout": 0.0, "patience": None,
                "precision": "fp32",
            },
            "seed": seed,
            "selection": "best_dev",
            "runtime": {
                "device": "cpu", "results": tmp_path / "results", "wandb": "disabled", "wandb_project": "ptuning",
                "progress": False, "save": False, "weights": tmp_path / "weights", "attention": "sdpa",
                "gradient_checkpointing": False, "tokens_per_pass": 4096,
                "hidden_cache_memory_gb": 0.1, "hidden_cache_disk_gb": 0,
            },
        }  # fmt: skip
        for key, value in overrides.items():
            node = values
            *path, leaf = key.split("__")
            for part in path:
                node = node[part]
            node[leaf] = value
        return RunConfig.model_validate(values)

    return make


def default_signals() -> None:
    """For a process to begin with: tests may run where some are ignored (under nohup, in a shell's background)."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
