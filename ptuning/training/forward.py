"""One pass through the backbone for the examples of several adapters.

Each row of a batch attends to its own adapter's prompt, and goes to its own head. Rows do not mix inside the backbone,
so what an adapter predicts does not depend on those beside it, float rounding aside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ptuning.backbones.backbone import Backbone
from ptuning.prompts.deep import layer_prompts
from ptuning.prompts.placement import Batch, collate, table
from ptuning.training.adapter import AdapterBatch


def forward(backbone: Backbone, parts: Sequence[AdapterBatch]) -> list[Tensor]:
    """The logits of each part's items, as its head gives them, all parts in one pass through the backbone."""
    width = max(part.width for part in parts)
    tables = [
        table(part.examples, part.sequences, part.adapter.layout, width, backbone.pad, backbone.first_position)
        for part in parts
    ]
    sizes = [one.shape[1] for one in tables]
    batch = collate(tables, backbone.device)
    prompts = layer_prompts([part.adapter.method.deep_prompt(part.prompt_dropout_mask) for part in parts], sizes)
    start = min(part.adapter.method.first_layer for part in parts) if backbone.stem else 1
    embeds, types = _entering(backbone, parts, sizes, batch, start)
    every = [prompts.get(layer) for layer in range(1, backbone.layers + 1)]
    only = batch.reads if backbone.narrowable and all(part.examples.reads is not None for part in parts) else None
    hidden = backbone(embeds, types, batch, every, start, only)
    ends = np.cumsum(sizes)
    rows = [batch.rows(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    if only is None:
        read = [_read(states, own, part) for part, states, own in zip(parts, hidden.split(sizes), rows, strict=True)]
    else:
        read = [(states, torch.ones_like(states[..., 0])) for states in hidden.split(sizes)]
    return [
        part.adapter.head(states, real.bool(), part.head_dropout_mask)
        for part, (states, real) in zip(parts, read, strict=True)
    ]


def _read(hidden: Tensor, batch: Batch, part: AdapterBatch) -> tuple[Tensor, Tensor]:
    """What of `hidden` `[B, W, H]` the part's head reads: one token of each row, `[B, 1, H]`, or the whole text; and
    where it is not padding."""
    if part.examples.reads is None:
        return _text(hidden, batch, part)
    states = hidden[torch.arange(len(hidden), device=hidden.device), batch.reads][:, None]
    return states, torch.ones_like(states[..., 0])


def _text(hidden: Tensor, batch: Batch, part: AdapterBatch) -> tuple[Tensor, Tensor]:
    """What of `hidden` `[B, W, H]` is the part's own text, `[B, T, H]`, without prompt rows and without the width of
    the parts beside it; and where it is not padding, `[B, T]`."""
    width = part.text_width
    if not part.adapter.layout.inserted:
        return hidden[:, :width], batch.attention_mask[:, :width]
    order = (batch.slots >= 0).byte().argsort(dim=1, stable=True)[:, :width]
    return hidden.gather(1, order[..., None].expand(-1, -1, hidden.shape[-1])), batch.attention_mask.gather(1, order)


def _entering(
    backbone: Backbone, parts: Sequence[AdapterBatch], sizes: Sequence[int], batch: Batch, start: int
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
        part.adapter.method.embed(backbone, own, part_words, part.prompt_dropout_mask)
        for part, own, part_words in zip(parts, rows, words.split(sizes), strict=True)
    ]
    return torch.cat([embeds for embeds, _ in embedded]), torch.cat([types for _, types in embedded])
