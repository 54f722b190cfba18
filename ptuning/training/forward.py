"""One pass through the backbone for the examples of several adapters.

Each row of a batch attends to its own adapter's prompt, and goes to its own head. Rows do not mix inside the backbone,
so what an adapter predicts does not depend on those beside it, float rounding aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ptuning.backbones.backbone import Backbone
from ptuning.data.encoded import IGNORED
from ptuning.prompts.deep import SiteKey, SitePrompt, site_prompts
from ptuning.prompts.placement import Batch, collate, table
from ptuning.training.adapter import AdapterBatch


@dataclass(frozen=True)
class PassInputs:
    """What several parts bring to a pass: their rows one below the other, those of each apart, how many they are, and
    the prompts that each site's attention sees."""

    batch: Batch
    rows: list[Batch]
    sizes: list[int]
    prompts: dict[SiteKey, SitePrompt]
    first_query: Tensor | None  # `Backbone.attending`

    @classmethod
    def of(cls, backbone: Backbone, parts: Sequence[AdapterBatch]) -> PassInputs:
        """Of the parts of one pass, put together: their rows one after another, padded to the longest."""
        width = max(part.width for part in parts)
        tables = [
            table(part.examples, part.sequences, part.adapter.layout, width, backbone.pad, backbone.first_position)
            for part in parts
        ]
        sizes = [one.shape[1] for one in tables]
        batch = collate(tables, backbone.device, max(_reads(part) for part in parts))
        prompts = site_prompts([part.adapter.method.deep_prompt(part.prompt_dropout_mask) for part in parts], sizes)
        return cls(batch, _of_parts(batch, sizes), sizes, prompts, _first_query(backbone, parts, prompts))


@contextmanager
def forward(backbone: Backbone, parts: Sequence[AdapterBatch]) -> Iterator[list[Tensor]]:
    """The logits of each part's items, as its head gives them, all parts in one pass through the backbone. The
    backward pass belongs in the block."""
    given = PassInputs.of(backbone, parts)
    batch, rows, sizes = given.batch, given.rows, given.sizes
    entry_layer = min(part.adapter.entry_layer for part in parts)
    if entry_layer == 1:
        enters, types = embedded(backbone, parts, given)
    else:
        enters, types = _cached(backbone, parts, rows, entry_layer), batch.token_type_ids
    single = backbone.runs_single_query and all(_reads(part) == 1 and not _decodes(part) for part in parts)
    with backbone.attending(given.prompts, batch.reads[:, 0] if single else None, given.first_query):
        hidden = backbone.forward_from(entry_layer, enters, types, batch)
        decoded = _decoded(backbone, parts, hidden, batch) if any(map(_decodes, parts)) else hidden
        read = [
            _read(own_decoded if _decodes(part) else states, own, part, single)
            for part, own, states, own_decoded in zip(
                parts, rows, hidden.split(sizes), decoded.split(sizes), strict=True
            )
        ]
        yield [
            part.adapter.head(states, real.bool(), part.head_dropout_mask, **_answers(part, states.device))
            for part, (states, real) in zip(parts, read, strict=True)
        ]


def _reads(part: AdapterBatch) -> int:
    """How many tokens of a sequence the part's head reads; 0 for all of them."""
    return 0 if part.examples.reads is None else part.examples.reads.shape[1]


def _decodes(part: AdapterBatch) -> bool:
    """Whether the part's head reads an encoder-decoder's decoder."""
    return part.examples.decoder is not None


def _decoded(backbone: Backbone, parts: Sequence[AdapterBatch], hidden: Tensor, batch: Batch) -> Tensor:
    """The decoder's hidden states `[B, U, H]`, which attend to the encoder's `hidden` `[B, T, H]`, those at a prompt's
    rows among them; of a part that has nothing for the decoder, those of a padding token."""
    given = [part.examples.decoder for part in parts]
    width = max(1 if ids is None else ids.shape[1] for ids in given)
    ids = np.concatenate([
        np.full((len(part.sequences), width), IGNORED) if one is None else
        np.pad(one[part.sequences], ((0, 0), (0, width - one.shape[1])), constant_values=IGNORED)
        for part, one in zip(parts, given, strict=True)
    ])  # fmt: skip
    present = ids != IGNORED
    present[:, 0] = True
    tokens = torch.from_numpy(np.where(ids == IGNORED, backbone.pad, ids)).to(backbone.device)
    return backbone.decode(tokens, torch.from_numpy(present.astype(np.int64)).to(backbone.device), hidden, batch)


def _answers(part: AdapterBatch, device: torch.device) -> dict[str, Tensor]:
    """What of the part's examples its head scores, where that differs from one to the next: `answers` `[B, K]`."""
    if part.examples.answers is None:
        return {}
    return {"answers": torch.from_numpy(part.examples.answers[part.sequences]).to(device)}


def _at(hidden: Tensor, which: Tensor) -> Tensor:
    """Of `hidden` `[B, W, H]` the states at `which` `[B, K]`: `[B, K, H]`."""
    return hidden.gather(1, which[..., None].expand(-1, -1, hidden.shape[-1]))


def _first_query(
    backbone: Backbone, parts: Sequence[AdapterBatch], prompts: Mapping[SiteKey, SitePrompt]
) -> Tensor | None:
    """In a decoder the first token of each row that sees each vector of its deep prompt, `[B, P]`: tokens before the
    place of an infix prompt do not. None where all tokens see all of it."""
    layouts = [part.adapter.layout for part in parts]
    if not backbone.network.is_causal or not prompts or all(layout.placement == "prefix" for layout in layouts):
        return None
    longest = next(iter(prompts.values())).key.shape[2]
    befores = [layout.before(part.examples, part.sequences) for layout, part in zip(layouts, parts, strict=True)]
    padded = [np.pad(before[:, :longest], ((0, 0), (0, max(0, longest - before.shape[1])))) for before in befores]
    return torch.from_numpy(np.concatenate(padded)).to(backbone.device, non_blocking=True)


def _of_parts(batch: Batch, sizes: Sequence[int]) -> list[Batch]:
    """Each part's rows of the batch."""
    ends = np.cumsum(sizes)
    return [batch.rows(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]


def _read(hidden: Tensor, batch: Batch, part: AdapterBatch, single: bool) -> tuple[Tensor, Tensor]:
    """What of `hidden` `[B, W, H]`, the encoder's or the decoder's, the part's head reads: some tokens of each row,
    `[B, K, H]`, or the whole text; and where it is not padding. `single`: there is no other token in it."""
    if part.examples.reads is None:
        return _text(hidden, batch, part)
    if _decodes(part):
        at = torch.from_numpy(part.examples.reads[part.sequences]).to(hidden.device)
    else:
        at = batch.reads[:, : _reads(part)]
    return hidden if single else _at(hidden, at), torch.ones_like(at)


def _text(hidden: Tensor, batch: Batch, part: AdapterBatch) -> tuple[Tensor, Tensor]:
    """What of `hidden` `[B, W, H]` is the part's own text, `[B, T, H]`, without prompt rows and without the width of
    the parts beside it; and where it is not padding, `[B, T]`."""
    width = part.text_width
    if not part.adapter.layout.inserted:
        return hidden[:, :width], batch.attention_mask[:, :width]
    order = (batch.slots >= 0).byte().argsort(dim=1, stable=True)[:, :width]
    return _at(hidden, order), batch.attention_mask.gather(1, order)


def embedded(backbone: Backbone, parts: Sequence[AdapterBatch], given: PassInputs) -> tuple[Tensor, Tensor]:
    """The embeddings that enter the backbone, `[B, T, E]`, and token types `[B, T]`."""
    tokens = backbone.embed_tokens(given.batch).split(given.sizes)
    found = [
        part.adapter.method.embed(backbone, own, embeds, part.prompt_dropout_mask)
        for part, own, embeds in zip(parts, given.rows, tokens, strict=True)
    ]
    return torch.cat([embeds for embeds, _ in found]), torch.cat([types for _, types in found])


def _cached(backbone: Backbone, parts: Sequence[AdapterBatch], rows: Sequence[Batch], layer: int) -> Tensor:
    """The hidden states that enter `layer`, `[B, T, H]`."""
    assert backbone.hidden_cache is not None
    return torch.cat([
        backbone.hidden_cache.hidden(layer, part.examples, part.sequences, part.adapter.layout, own)
        for part, own in zip(parts, rows, strict=True)
    ])  # fmt: skip
