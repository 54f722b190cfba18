"""Sites: the places of a backbone where a deep prompt can be attended to, found by watching one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ptuning.backbones.attention import Watched, watching
from ptuning.backbones.encoder import Encoder
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


def find(network: Encoder, layers: int, current: CurrentPass) -> dict[SiteKey, Site]:
    """The sites of a model with so many layers, in the order of its layers; their attention is told of `current`.

    Raises InputError for a family whose attention neither goes through the interface nor has a file in
    `ptuning.backbones.families` (prompts would be ignored there without a word), and for one that shares an attention
    module among layers.
    """
    family = network.model.config.model_type
    seen: dict[str, list[Watched]] = {network.stack: []}
    with watching() as watched, torch.inference_mode():
        network.run_all_stacks()
    for one in watched:
        seen.setdefault(network.stack_of(one), []).append(one)
    reached = len(seen[network.stack])
    if any(len({one.attention for one in stack}) < len(stack) for stack in seen.values()):
        raise InputError(
            f"backbone family {family!r} shares one attention among layers, so that it takes no deep prompts: choose "
            "method=prompt_tuning or fine_tuning, or another family (bert, roberta, ...)."
        )
    if reached != layers:
        raise InputError(
            f"backbone family {family!r} cannot take deep prompts: {reached} of its {layers} layers call "
            "transformers' attention interface, and ptuning/backbones/families has no file for it; choose "
            "method=prompt_tuning or fine_tuning, or another family (bert, roberta, deberta, ...)."
        )
    sites = [
        Site(stack, layer, one.attention, one.kv_heads, one.head_dim)
        for stack, layers_of in seen.items()
        for layer, one in enumerate(layers_of, start=1)
    ]
    for site in sites:
        site.attention.site_port = SitePort(current, site.key)  # type: ignore[assignment]
    return {site.key: site for site in sites}


def alike(sites: Sequence[Site], family: str) -> list[Site]:
    """`sites`. Raises InputError where their keys and values are not of one shape, as one prompt's are."""
    shapes = sorted({(site.kv_heads, site.head_dim) for site in sites})
    if len(shapes) > 1:
        raise InputError(
            f"backbone family {family!r} has layers of different shapes (key/value heads and their size: "
            f"{', '.join(map(str, shapes))}): restrict prompt.layers to layers of one shape."
        )
    return list(sites)
