"""Texts that the backbone generates for the examples of several adapters, each under its own prompt, all in one batch
(`ptuning.heads.generation`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from ptuning.backbones.backbone import Backbone
from ptuning.heads.base import Decoding
from ptuning.training.adapter import AdapterBatch
from ptuning.training.forward import PassInputs, embedded

NO_NUMBER = np.array([np.nan])


def generate(backbone: Backbone, parts: Sequence[AdapterBatch], decoding: Decoding) -> list[list[np.ndarray]]:
    """The tokens that are said to each part's items, without the one that ends them, or what is no number where logits
    were none; by transformers' own `generate`: with prompts active at each step, and tokens alone in its cache."""
    given = PassInputs.of(backbone, parts)
    embeds, _ = embedded(backbone, parts, given)
    finite = _Finite(backbone.device, sum(given.sizes))
    search = {"length_penalty": decoding.length_penalty} if decoding.beams > 1 else {}
    output = backbone.generate(
        given.batch, given.prompts, given.first_query, embeds, do_sample=False, max_new_tokens=decoding.most,
        num_beams=decoding.beams, eos_token_id=decoding.end, pad_token_id=backbone.pad,
        logits_processor=LogitsProcessorList([finite]), **search, **_opens(parts, backbone.device),
    )  # fmt: skip
    said = [tokens[: _end(tokens, decoding.end)] for tokens in _behind_opens(output.sequences, parts)]
    said = [tokens if whole else NO_NUMBER for tokens, whole in zip(said, finite.rows.tolist(), strict=True)]
    ends = np.cumsum(given.sizes)
    return [said[end - size : end] for end, size in zip(ends, given.sizes, strict=True)]


class _Finite(LogitsProcessor):
    """Which rows were said from logits that are numbers, `[B]`: it changes none."""

    def __init__(self, device: torch.device, rows: int) -> None:
        self.rows = torch.ones(rows, dtype=torch.bool, device=device)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.rows &= ~scores.isnan().view(len(self.rows), -1).any(dim=1)
        return scores


def _opens(parts: Sequence[AdapterBatch], device: torch.device) -> dict[str, Tensor]:
    """What an encoder-decoder's decoder is given first, `[B, U]`."""
    given = [part.examples.decoder[part.sequences] for part in parts if part.examples.decoder is not None]
    return {"decoder_input_ids": torch.from_numpy(np.concatenate(given)).to(device)} if given else {}


def _behind_opens(sequences: Tensor, parts: Sequence[AdapterBatch]) -> np.ndarray:
    """`sequences` `[B, U]` without what the decoder was given beside its start, which is left out of them already."""
    given = parts[0].examples.decoder
    return sequences[:, 0 if given is None else given.shape[1] - 1 :].cpu().numpy()


def _end(tokens: np.ndarray, end: int) -> int:
    """How many tokens stand before the one that ends a text."""
    found = np.flatnonzero(tokens == end)
    return int(found[0]) if len(found) else len(tokens)
