"""Texts that the backbone generates for the examples of several adapters, each under its own prompt, all in one batch
(`ptuning.heads.generation`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ptuning.backbones.backbone import Backbone
from ptuning.heads.base import Decoding
from ptuning.training.adapter import AdapterBatch
from ptuning.training.forward import PassInputs, embedded


def generate(backbone: Backbone, parts: Sequence[AdapterBatch], decoding: Decoding) -> list[list[np.ndarray]]:
    """The tokens that are said to each part's items, without the one that ends them, by transformers' own `generate`:
    with prompts active at each step, and tokens alone in its cache."""
    given = PassInputs.of(backbone, parts)
    embeds, _ = embedded(backbone, parts, given)
    search = {"length_penalty": decoding.length_penalty} if decoding.beams > 1 else {}
    output = backbone.generate(
        given.batch, given.prompts, given.first_query, embeds, do_sample=False, max_new_tokens=decoding.most,
        num_beams=decoding.beams, eos_token_id=decoding.end, pad_token_id=backbone.pad, **search, **_opens(parts),
    )  # fmt: skip
    said = [tokens[: _end(tokens, decoding.end)] for tokens in _behind_opens(output.sequences, parts)]
    ends = np.cumsum(given.sizes)
    return [said[end - size : end] for end, size in zip(ends, given.sizes, strict=True)]


def _opens(parts: Sequence[AdapterBatch]) -> dict[str, Tensor]:
    """What an encoder-decoder's decoder is given first, `[B, U]`."""
    given = [part.examples.decoder[part.sequences] for part in parts if part.examples.decoder is not None]
    return {"decoder_input_ids": torch.from_numpy(np.concatenate(given))} if given else {}


def _behind_opens(sequences: Tensor, parts: Sequence[AdapterBatch]) -> np.ndarray:
    """`sequences` `[B, U]` without what the decoder was given beside its start, which is left out of them already."""
    given = parts[0].examples.decoder
    return sequences[:, 0 if given is None else given.shape[1] - 1 :].cpu().numpy()


def _end(tokens: np.ndarray, end: int) -> int:
    """How many tokens stand before the one that ends a text."""
    found = np.flatnonzero(tokens == end)
    return int(found[0]) if len(found) else len(tokens)
