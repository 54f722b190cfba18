"""Sites: the places of a backbone where a deep prompt can be attended to, found by watching one pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from ptuning.backbones.attention import Watched, watching
from ptuning.backbones.forward_pass import CurrentPass, SitePort
from ptuning.errors import InputError
from ptuning.prompts.deep import SiteKey


@dataclass(frozen=True)
class Site:
    """One place where a prompt can be attended to: a layer (counted from 1) of a stack (`encoder`, `decoder`, or
    `cross`, a decoder's attention to the encoder), its attention module, and the shape of its keys and values."""

    stack: str
    layer: int
    attention: nn.Module
    kv_heads: int
    head_dim: int

    @property
    def key(self) -> SiteKey:
        return SiteKey(self.stack, self.layer)


def find(model: PreTrainedModel, layers: int, current: CurrentPass) -> dict[SiteKey, Site]:
    """The sites of a model with so many layers, in the order of its layers; their attention is told of `current`.

    Raises InputError for a family whose attention neither goes through the interface nor has a file in
    `ptuning.backbones.families` (prompts would be ignored there without a word), and for one that shares an attention
    module among layers.
    """
    family = model.config.model_type
    seen = _watched(model)
    if len(seen) == layers and len({one.attention for one in seen}) < layers:
        raise InputError(f"backbone family {family!r} shares one attention among layers: choose bert, roberta, ...")
    if len(seen) != layers:
        raise InputError(
            f"backbone family {family!r} cannot take deep prompts: {len(seen)} of its {layers} layers call "
            "transformers' attention interface, and ptuning/backbones/families has no file for it; choose another "
            "family (bert, roberta, deberta, ...)."
        )
    if any(getattr(one.attention, "is_causal", False) for one in seen):
        raise InputError(f"backbone family {family!r} is causal: choose a bidirectional encoder (bert, roberta, ...).")
    sites = [
        Site("encoder", layer, one.attention, one.kv_heads, one.head_dim) for layer, one in enumerate(seen, start=1)
    ]
    for site in sites:
        site.attention.site_port = SitePort(current, site.key)  # type: ignore[assignment]
    return {site.key: site for site in sites}


def _watched(model: PreTrainedModel) -> list[Watched]:
    device = next(model.parameters()).device
    try:
        with watching() as seen, torch.inference_mode():
            model(input_ids=torch.ones(1, 2, dtype=torch.long, device=device))
    except Exception as error:  # whatever a family that is no plain encoder raises on token ids alone
        raise InputError(
            f"backbone family {model.config.model_type!r} is no plain encoder ({error}): choose bert, roberta, ..."
        ) from error
    return seen
