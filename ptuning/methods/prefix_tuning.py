"""Prefix-Tuning (Li and Liang, 2021, section 4): learned keys and values, seen by all that is read and said.

As the authors' code: at every layer, a decoder's `[PREFIX; x; y]`, an encoder-decoder's `[PREFIX; x]` and
`[PREFIX'; y]`, and its decoder's attention to the encoder; each stack's from an embedding `[P, H]` and an MLP of its
own (512 wide with GPT-2, 800 with BART), which is dropped after training; no dropout on them.
`prompt.placement=infix` is `[x; INFIX; y]` (section 7.3): in a decoder, x does not see it.

Differs from it: an infix is keys and values like a prefix, where the released code learns embeddings that the frozen
model reads and offsets that are added to their keys and values; an encoder-decoder's decoder counts its positions from
the first token, not from behind the prefix. Embedding-only (section 7.2) is `method=prompt_tuning` with the same MLP.

`p_tuning_v2` is the same but for what it usually is (conf/method): this one has an MLP, and stands in all stacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from ptuning.config import ADDED
from ptuning.methods.base import UNMASKED, PromptConfig, PromptMask, PromptMethod, reparameterized
from ptuning.prompts import depth, reparameterizations
from ptuning.prompts.deep import DeepPrompt
from ptuning.prompts.inits.base import Init, width
from ptuning.prompts.placement import Layout
from ptuning.prompts.reparameterizations.base import Reparameterization
from ptuning.seeds import Streams

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone
    from ptuning.backbones.shape import Shape
    from ptuning.backbones.sites import Site

Stack = Literal["encoder", "decoder", "cross"]
Sorted = AfterValidator(lambda stacks: sorted(set(stacks)))  # so that one prompt has one id


class PrefixTuning(PromptMethod):
    class Prompt(PromptConfig):
        layers: Annotated[str | int | list[int], AfterValidator(depth.canonical)] = Field(
            description="depth: all, 17-24, 5, [1,24]; 1-based and inclusive"
        )
        stacks: Annotated[Literal["all"] | Annotated[list[Stack], Field(min_length=1), Sorted] | None, ADDED] = Field(
            default=None,
            description="whose attention sees the prompt: all, or some of [encoder,decoder,cross]; null: of the stack "
            "that reads the text, an encoder-decoder's encoder",
        )

    kind = "deep"
    peft_type = "PREFIX_TUNING"

    def __init__(self, prompt: Prompt, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        self.layout = self.layout_of(prompt)
        self.sites = backbone.sites_at(prompt.layers, prompt.stacks)
        self.first_layer = min((site.layer for site in self.sites if site.stack == backbone.stack), default=1)
        kv_heads, head_dim = self.sites[0].kv_heads, self.sites[0].head_dim
        self.shape = (prompt.length, len(self.sites), 2, kv_heads, head_dim)
        parts = [
            reparameterized(prompt, width(sites), backbone.hidden, partial(init.deep_prompt, sites=sites), init)
            for sites in _produced_together(prompt, self.sites)
        ]
        self.reparameterization = parts[0] if len(parts) == 1 else SideBySide(parts)

    @classmethod
    def layout_of(cls, prompt: Prompt) -> Layout:
        return Layout(0, prompt.length, prompt.placement, prompt.positions)

    @classmethod
    def check_shape(cls, prompt: Prompt, shape: Shape, max_length: int) -> None:
        depth.layers(prompt.layers, shape.layers)
        super().check_shape(prompt, shape, max_length)

    def peft_keys(self, reparameterization: Mapping[str, Any], width: int) -> dict[str, Any]:
        """Folded, it has no projection any more."""
        return {"encoder_hidden_size": width, "prefix_projection": False}

    def element_mask(self, streams: Streams, step: int, sequences: int) -> Tensor | None:
        """`[B, sites, 2, A, P, D]`."""
        length, sites, pair, heads, size = self.shape
        mask = streams.keep_mask("prompt", step, self.dropout.rate, (sites, pair, sequences, heads, length, size))
        return None if mask is None else mask.movedim(2, 0)

    def deep_prompt(self, dropout_mask: PromptMask = UNMASKED) -> DeepPrompt:
        """Produced once a pass and shared by all of its rows; only dropout tells the rows apart."""
        produced = self.produced(dropout_mask).view(self.shape).permute(1, 2, 3, 0, 4)  # [sites, 2, A, P, D]
        keys = tuple(site.key for site in self.sites)
        if dropout_mask.elements is None:
            return DeepPrompt(keys, produced)
        return DeepPrompt(keys, self.dropout.scale(produced), dropout_mask.elements.movedim(0, 2))


class SideBySide(Reparameterization):
    """Reparameterizations whose outputs `[P, W]` are the parts of one prompt, one beside the other."""

    def __init__(self, parts: Sequence[Reparameterization]) -> None:
        nn.Module.__init__(self)
        self.parts = nn.ModuleList(parts)

    def dropout_mask(self, streams: Streams, step: int) -> Tensor | None:
        """One for all of them: they are alike."""
        first = self.parts[0]
        assert isinstance(first, Reparameterization)
        return first.dropout_mask(streams, step)

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        return torch.cat([part(dropout_mask) for part in self.parts], dim=1)


def _produced_together(prompt: PrefixTuning.Prompt, sites: Sequence[Site]) -> list[list[Site]]:
    """Sites whose part of the prompt one reparameterization produces: all of them, or each stack's, where its weights
    are drawn."""
    if reparameterizations.load(prompt.reparameterization.name).starts_from_prompt:
        return [list(sites)]
    return [[site for site in sites if site.stack == stack] for stack in dict.fromkeys(site.stack for site in sites)]
