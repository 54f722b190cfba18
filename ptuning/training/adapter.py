"""Adapters: what a run trains, a prompt and a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ptuning import heads, methods, seeds
from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig, parse
from ptuning.data.encoded import Encoded
from ptuning.heads.base import Head, Pooler
from ptuning.methods.base import Method
from ptuning.prompts.placement import Layout
from ptuning.tasks.base import AnyTask


class Adapter(nn.Module):
    """What a run trains, or has trained: a method and a head. The adapters of a mixture's sets share the method of
    the first, `beside`, and its random stream."""

    def __init__(self, config: RunConfig, task: AnyTask, backbone: Backbone, beside: Adapter | None = None) -> None:
        super().__init__()
        self.config, self.task = config, task
        self.noise: torch.Generator
        self.method: Method
        if beside is None:
            self.noise = seeds.generator(config.seed, "dropout", backbone.device)
            self.method = _method(config, backbone, self.noise)
        else:
            self.noise, self.method = beside.noise, beside.method
        self.head = _head(config, task, backbone, self.noise)
        self.to(backbone.device)

    @property
    def layout(self) -> Layout:
        return self.method.layout


def _method(config: RunConfig, backbone: Backbone, noise: torch.Generator) -> Method:
    kind = methods.load(config.method)
    prompt = None if kind.Prompt is None else parse(kind.Prompt, config.prompt or {}, "prompt")
    return kind(prompt, backbone, seeds.generator(config.seed, "prompt"), noise)


def _head(config: RunConfig, task: AnyTask, backbone: Backbone, noise: torch.Generator) -> Head:
    random = seeds.generator(config.seed, "head")
    pooler: nn.Module = nn.Identity()
    kind = heads.load(task.head)
    wanted = config.backbone.pooler
    if wanted != "none" and kind.reads_cls_alone:
        pooler = Pooler(backbone.hidden, random, None if wanted == "random" else backbone.pooler)
        trains = wanted == "trained" or methods.load(config.method).trains_backbone
        pooler.requires_grad_(trains)
    return kind(backbone.hidden, len(task.labels), pooler, config.train.head_dropout, random, noise)


@dataclass(frozen=True)
class AdapterBatch:
    """What one adapter answers in a batch: the items `rows` of `examples`."""

    adapter: Adapter
    examples: Encoded
    rows: np.ndarray

    @property
    def width(self) -> int:
        """Tokens of the longest sequence, an inserted prompt included."""
        return int(self.examples.longest[self.rows].max()) + self.adapter.layout.inserted

    @property
    def sequences(self) -> np.ndarray:
        return self.examples.sequences(self.rows)
