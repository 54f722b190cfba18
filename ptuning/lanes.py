"""Lanes: many runs, one frozen backbone.

A batch holds examples of several lanes. Each example attends to its own lane's prompt; each lane has its own head,
loss, optimizer, schedule, clipping, data order and random streams. Rows do not mix inside the backbone, so the
gradient of the lanes' summed losses gives each lane exactly its own, and a packed run equals the solo run up to
float rounding (with the backbone's own dropout on, which rows share, up to its random draws).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning import heads, methods, seeds
from ptuning.backbone import PRECISION, Backbone
from ptuning.config import RunConfig, TrainConfig, parse
from ptuning.data import TaskData
from ptuning.encode import Encoded, encode
from ptuning.injection import LayerPrompt
from ptuning.layout import Laid, collate, lay_out
from ptuning.methods.base import DeepRows, Method
from ptuning.tasks.base import Task


@dataclass(frozen=True)
class Prepared:
    """An example ready for the backbone: its sequences with the lane's prompt in place, and its label."""

    rows: tuple[Laid, ...]
    label: int

    @property
    def width(self) -> int:
        return max(len(row.input_ids) for row in self.rows)


class Adapter(nn.Module):
    """What a run trains, or has trained: a method and a head."""

    def __init__(self, config: RunConfig, task: Task, backbone: Backbone) -> None:
        super().__init__()
        self.config, self.task = config, task
        kind = methods.load(config.method)
        prompt = None if kind.Prompt is None else parse(kind.Prompt, config.prompt or {}, "prompt")
        noise = seeds.generator(config.seed, "dropout", backbone.device)
        self.method: Method = kind(prompt, backbone, seeds.generator(config.seed, "prompt"), noise)
        self.head = _head(config, task, backbone, noise)
        self.to(backbone.device)
        self.first_position = backbone.first_position

    def prepare(self, examples: Sequence[Encoded]) -> list[Prepared]:
        layout, first = self.method.layout, self.first_position
        return [
            Prepared(tuple(lay_out(sequence, layout, first) for sequence in example.sequences), example.label)
            for example in examples
        ]


def _head(config: RunConfig, task: Task, backbone: Backbone, noise: torch.Generator) -> heads.Classification:
    random = seeds.generator(config.seed, "head")
    pooler: nn.Module = nn.Identity()
    if config.backbone.pooler != "none":
        pooler = heads.Pooler(backbone.hidden, random, backbone.pooler)
        trains = config.backbone.pooler == "trained" or methods.load(config.method).trains_backbone
        pooler.requires_grad_(trains)
    head = heads.HEADS[task.head]
    return head(backbone.hidden, len(task.labels), pooler, config.train.head_dropout, random, noise)


def forward(backbone: Backbone, parts: Sequence[tuple[Adapter, Sequence[Prepared]]]) -> list[Tensor]:
    """Logits `[B, labels]` of each part's examples, all parts in one pass through the backbone."""
    width = max(example.width for _, examples in parts for example in examples)
    batches, embeds, types, deep = [], [], [], []
    for adapter, examples in parts:
        rows = [row for example in examples for row in example.rows]
        batch = collate(rows, width, backbone.tokenizer.pad_token_id, backbone.first_position, backbone.device)
        embedded, token_types = adapter.method.embed(backbone, batch)
        batches.append(batch)
        embeds.append(embedded)
        types.append(token_types)
        deep.append(adapter.method.deep_prompts(len(rows)))
    sizes = [len(batch.cls) for batch in batches]
    together = type(batches[0])(
        *(torch.cat(field) for field in zip(*(vars(b).values() for b in batches), strict=True))
    )
    prompts = layer_prompts(deep, sizes, backbone.layers)
    hidden = backbone(torch.cat(embeds), torch.cat(types), together, prompts)
    return [
        adapter.head(part, batch.cls)
        for (adapter, _), part, batch in zip(parts, hidden.split(sizes), batches, strict=True)
    ]


def layer_prompts(deep: Sequence[DeepRows], sizes: Sequence[int], layers: int) -> list[LayerPrompt | None]:
    """The lanes' deep prompts put together, layer by layer: shorter and absent ones are padded and hidden."""
    return [_join([rows.get(layer) for rows in deep], sizes) for layer in range(1, layers + 1)]


def _join(parts: Sequence[Tensor | None], sizes: Sequence[int]) -> LayerPrompt | None:
    lengths = [0 if part is None else part.shape[-2] for part in parts]
    longest = max(lengths)
    present = next((part for part in parts if part is not None), None)
    if present is None:
        return None
    if len(parts) == 1:
        return LayerPrompt(present[0], present[1])
    padded = [
        present.new_zeros(2, size, present.shape[2], longest, present.shape[4])
        if part is None
        else functional.pad(part, (0, 0, 0, longest - length))
        for part, size, length in zip(parts, sizes, lengths, strict=True)
    ]
    key, value = torch.cat(padded, dim=1)
    if min(lengths) == longest:
        return LayerPrompt(key, value)
    seen = torch.tensor(lengths).repeat_interleave(torch.tensor(sizes))
    visible = torch.arange(longest) < seen[:, None]
    return LayerPrompt(key, value, visible.to(key.device, non_blocking=True))


@dataclass
class Epoch:
    """One line of a run's history. Scores in percent; seconds of wall time, evaluation apart."""

    epoch: int
    loss: float
    dev: dict[str, float]
    seconds: float
    dev_seconds: float


@dataclass
class Lane:
    """A run in training: its adapter, its examples, its optimizer, and how far it has come."""

    config: RunConfig
    task: Task
    data: TaskData
    adapter: Adapter
    train: list[Prepared]
    dev: list[Prepared]
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    parameters: list[nn.Parameter]
    history: list[Epoch] = field(default_factory=list)
    status: str = "running"

    @classmethod
    def build(cls, config: RunConfig, task: Task, data: TaskData, backbone: Backbone) -> Lane:
        """Raises InputError where the run's prompt does not fit the backbone."""
        adapter = Adapter(config, task, backbone)
        adapter.method.layout.check(config.task.max_length, backbone.positions)
        if adapter.method.trains_backbone:
            backbone.unfreeze(PRECISION[config.train.precision])
        parameters = [p for module in _trained(adapter, backbone) for p in module.parameters() if p.requires_grad]
        encoded = [
            encode(split, backbone.tokenizer, config.task.max_length) for split in (data.train, data.dev)
        ]  # fmt: skip
        optimizer = torch.optim.AdamW(
            parameters, lr=config.train.lr, weight_decay=config.train.weight_decay, fused=True
        )
        return cls(
            config, task, data, adapter,
            train=adapter.prepare(encoded[0]),
            dev=adapter.prepare(encoded[1]),
            optimizer=optimizer,
            schedule=schedule(optimizer, config.train, math.ceil(len(encoded[0]) / config.train.batch_size)),
            scaler=torch.amp.GradScaler(backbone.device.type, enabled=config.train.precision == "fp16"),
            parameters=parameters,
        )  # fmt: skip

    @property
    def epoch(self) -> int:
        """The epoch in progress, counted from 1."""
        return len(self.history) + 1

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.train) / self.config.train.batch_size)

    def batches(self) -> Iterator[list[Prepared]]:
        """The epoch's batches: shuffled by the run's seed, of similar length each."""
        random = np.random.default_rng([self.config.seed, self.epoch])
        lengths = [example.width for example in self.train]
        for indices in bucketed(lengths, self.config.train.batch_size, random):
            yield [self.train[index] for index in indices]

    def step(self) -> None:
        """Update what this lane trains from the gradients that stand in it."""
        self.scaler.unscale_(self.optimizer)
        if self.config.train.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.config.train.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)


def _trained(adapter: Adapter, backbone: Backbone) -> list[nn.Module]:
    return [adapter, backbone] if adapter.method.trains_backbone else [adapter]


def bucketed(lengths: Sequence[int], batch_size: int, random: np.random.Generator) -> list[list[int]]:
    """Indices in batches of `batch_size`: shuffled, then sorted by length within pools of 16 batches, so that little
    padding is needed, then the batches shuffled (the last, short one too)."""
    order = random.permutation(len(lengths))
    pool = batch_size * 16
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool].tolist(), key=lengths.__getitem__)
        batches += [ranked[i : i + batch_size] for i in range(0, len(ranked), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def schedule(
    optimizer: torch.optim.Optimizer, train: TrainConfig, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The factor on the learning rate, step by step: `linear` falls to 0 over all epochs, `exponential` multiplies by
    gamma after each epoch (the authors' choice for NER, SRL and QA), `constant` stays."""
    total = train.epochs * steps_per_epoch
    warm = int(train.warmup * total)
    shapes: dict[str, Any] = {
        "linear": lambda step: max(0.0, (total - step) / max(1, total - warm)),
        "constant": lambda step: 1.0,
        "exponential": lambda step: train.gamma ** (step // steps_per_epoch),
    }
    falling = shapes[train.schedule]
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / (warm + 1) if step < warm else falling(step)
    )
