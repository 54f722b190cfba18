"""Adapters: what a run trains, a prompt and a head; and one pass through the backbone for the examples of several.

Each row of a batch attends to its own adapter's prompt, and goes to its own head. Rows do not mix inside the backbone,
so what an adapter answers does not depend on those beside it, float rounding aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning import heads, methods, seeds
from ptuning.backbone import Backbone
from ptuning.config import RunConfig, parse
from ptuning.encode import Encoded
from ptuning.injection import LayerPrompt
from ptuning.layout import Batch, Layout, collate, table
from ptuning.methods.base import DeepPrompt, Method
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


def _head(config: RunConfig, task: AnyTask, backbone: Backbone, noise: torch.Generator) -> heads.Head:
    random = seeds.generator(config.seed, "head")
    pooler: nn.Module = nn.Identity()
    kind = heads.HEADS[task.head]
    wanted = config.backbone.pooler
    if wanted != "none" and kind.reads_cls_alone:
        pooler = heads.Pooler(backbone.hidden, random, None if wanted == "random" else backbone.pooler)
        trains = wanted == "trained" or methods.load(config.method).trains_backbone
        pooler.requires_grad_(trains)
    return kind(backbone.hidden, len(task.labels), pooler, config.train.head_dropout, random, noise)


@dataclass(frozen=True)
class Part:
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


def forward(backbone: Backbone, parts: Sequence[Part]) -> list[Tensor]:
    """The logits of each part's items, as its head gives them, all parts in one pass through the backbone."""
    width = max(part.width for part in parts)
    tables = [
        table(part.examples, part.sequences, part.adapter.layout, width, backbone.pad, backbone.first_position)
        for part in parts
    ]
    sizes = [one.shape[1] for one in tables]
    batch = collate(tables, backbone.device)
    prompts = layer_prompts([part.adapter.method.deep_prompt(n) for part, n in zip(parts, sizes, strict=True)], sizes)
    start = min(part.adapter.method.first_layer for part in parts) if backbone.stem else 1
    embeds, types = _entering(backbone, parts, sizes, batch, start)
    every = [prompts.get(layer) for layer in range(1, backbone.layers + 1)]
    only = batch.cls if backbone.narrowable and all(part.adapter.head.reads_cls_alone for part in parts) else None
    hidden = backbone(embeds, types, batch, every, start, only)
    ends = np.cumsum(sizes)
    rows = [batch.rows(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    texts = [
        (states, own.attention_mask) if only is not None else _text(states, own, part)
        for part, states, own in zip(parts, hidden.split(sizes), rows, strict=True)
    ]
    return [part.adapter.head(states, real.bool()) for part, (states, real) in zip(parts, texts, strict=True)]


def _text(hidden: Tensor, batch: Batch, part: Part) -> tuple[Tensor, Tensor]:
    """What of `hidden` `[B, W, H]` is the part's own text, `[B, T, H]`, without prompt rows and without the width of
    the parts beside it (a head's dropout draws as in the solo run); and where it is not padding, `[B, T]`."""
    width = part.width - part.adapter.layout.inserted
    if not part.adapter.layout.inserted:
        return hidden[:, :width], batch.attention_mask[:, :width]
    order = (batch.slots >= 0).byte().argsort(dim=1, stable=True)[:, :width]
    return hidden.gather(1, order[..., None].expand(-1, -1, hidden.shape[-1])), batch.attention_mask.gather(1, order)


def _entering(
    backbone: Backbone, parts: Sequence[Part], sizes: Sequence[int], batch: Batch, start: int
) -> tuple[Tensor, Tensor]:
    """What enters layer `start`, `[B, T, H]`, or for layer 1 the embeddings `[B, T, E]`; and token types `[B, T]`."""
    ends = np.cumsum(sizes)
    rows = [batch.rows(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    if start > 1:
        assert backbone.stem is not None
        stem = [
            backbone.stem.hidden(start, part.examples, part.sequences, part.adapter.layout, own)
            for part, own in zip(parts, rows, strict=True)
        ]
        return torch.cat(stem), batch.token_type_ids
    words = backbone.words(batch)
    embedded = [
        part.adapter.method.embed(backbone, own, part_words)
        for part, own, part_words in zip(parts, rows, words.split(sizes), strict=True)
    ]
    return torch.cat([embeds for embeds, _ in embedded]), torch.cat([types for _, types in embedded])


def layer_prompts(deep: Sequence[DeepPrompt | None], sizes: Sequence[int]) -> dict[int, LayerPrompt]:
    """The lanes' deep prompts put together, layer (1-based) by layer: shorter and absent ones are padded and hidden.

    `sizes` are the rows of each lane in the batch.
    """
    there = [one for one in deep if one is not None]
    if not there:
        return {}
    layers = sorted({layer for one in there for layer in one.layers})
    longest = max(one.values.shape[-2] for one in there)
    values = torch.stack([_padded(one, layers, longest, there[0].values) for one in deep])  # [R, layers, 2, A, P, D]
    rows = None
    if len(deep) > 1:
        rows = torch.arange(len(deep)).repeat_interleave(torch.tensor(sizes)).to(values.device, non_blocking=True)
    kept = _kept(deep, sizes, layers, longest)
    visible = _visible(deep, sizes, layers, longest, values.device)
    masks: dict[tuple[int, int, int], tuple[Tensor | None, Tensor]] = {}
    return {
        layer: LayerPrompt(
            values[:, i, 0], values[:, i, 1], rows, visible[i], None if kept is None else kept[i], masks
        )
        for i, layer in enumerate(layers)
    }


def _padded(one: DeepPrompt | None, layers: Sequence[int], longest: int, like: Tensor) -> Tensor:
    """A lane's values `[layers, 2, A, longest, D]`, with zeros where it has none."""
    if one is None:
        return like.new_zeros(len(layers), *like.shape[1:3], longest, like.shape[-1])
    values = functional.pad(one.values, (0, 0, 0, longest - one.values.shape[-2]))
    if one.layers == tuple(layers):
        return values
    own = dict(zip(one.layers, values, strict=True))
    return torch.stack([own.get(layer, torch.zeros_like(values[0])) for layer in layers])


def _kept(
    deep: Sequence[DeepPrompt | None], sizes: Sequence[int], layers: Sequence[int], longest: int
) -> Tensor | None:
    """What dropout leaves, `[layers, 2, B, A, longest, D]`; None where no lane drops anything."""
    like = next((one.kept for one in deep if one is not None and one.kept is not None), None)
    if like is None:
        return None
    if len(deep) == 1:
        return like
    whole = like.new_ones(len(layers), 2, sum(sizes), like.shape[3], longest, like.shape[5])
    for one, size, end in zip(deep, sizes, np.cumsum(sizes), strict=True):
        if one is not None and one.kept is not None:
            mine = slice(None) if one.layers == tuple(layers) else [layers.index(layer) for layer in one.layers]
            whole[mine, :, end - size : end, :, : one.kept.shape[-2]] = one.kept
    return whole


def _visible(
    deep: Sequence[DeepPrompt | None], sizes: Sequence[int], layers: Sequence[int], longest: int, device: torch.device
) -> list[Tensor | None]:
    """For each layer which of the `longest` slots a row sees, `[B, longest]`; None where every row sees them all."""
    reach = [
        [one.values.shape[-2] if one is not None and layer in one.layers else 0 for one in deep] for layer in layers
    ]
    made: dict[tuple[int, ...], Tensor | None] = {}
    for lengths in map(tuple, reach):
        if lengths not in made:
            seen = np.arange(longest) < np.repeat(lengths, sizes)[:, None]
            made[lengths] = None if min(lengths) == longest else torch.from_numpy(seen).to(device, non_blocking=True)
    return [made[tuple(lengths)] for lengths in reach]
