"""P-Tuning v2 (Liu et al., 2022, section 3): learned keys and values in every chosen layer. The tables' PT-2 column.

As the authors' code: a key and a value vector per layer, position and head; normal initialisation, std 0.02; dropout
on them, elementwise and per example; an MLP reparameterization where asked for. Differs from it: depth can be any set
of layers; position ids can be kept; keys and values enter through the attention interface, so nothing is forked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field
from torch import Tensor

from ptuning.methods.base import UNMASKED, PromptConfig, PromptMask, PromptMethod, reparameterized
from ptuning.prompts import depth
from ptuning.prompts.deep import DeepPrompt
from ptuning.prompts.inits.base import Init
from ptuning.prompts.placement import Layout
from ptuning.seeds import Streams

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone
    from ptuning.backbones.shape import Shape


class PTuningV2(PromptMethod):
    class Prompt(PromptConfig):
        layers: Annotated[str | int | list[int], AfterValidator(depth.canonical)] = Field(
            description="depth: all, 17-24, 5, [1,24]; 1-based and inclusive"
        )

    kind = "deep"

    def __init__(self, prompt: Prompt, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        self.layout = self.layout_of(prompt)
        self.sites = backbone.sites_of(depth.layers(prompt.layers, backbone.layers))
        self.first_layer = self.sites[0].layer
        kv_heads, head_dim = self.sites[0].kv_heads, self.sites[0].head_dim
        self.shape = (prompt.length, len(self.sites), 2, kv_heads, head_dim)
        self.reparameterization = reparameterized(
            prompt,
            len(self.sites) * 2 * kv_heads * head_dim,
            backbone.hidden,
            lambda rows: init.deep_prompt(rows, self.sites),
            init,
        )

    @classmethod
    def layout_of(cls, prompt: Prompt) -> Layout:
        return Layout(0, prompt.length, prompt.placement, prompt.positions)

    @classmethod
    def check_shape(cls, prompt: Prompt, shape: Shape, max_length: int) -> None:
        depth.layers(prompt.layers, shape.layers)
        super().check_shape(prompt, shape, max_length)

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
