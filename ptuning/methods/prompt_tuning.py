"""Prompt Tuning (Lester et al., 2021): learned embeddings stand among the input tokens. The tables' PT column.

Differs from that paper: an encoder with a [CLS] head, as in the P-Tuning v2 tables, not a text-to-text T5; normal
initialisation. Differs from the P-Tuning v2 code's PT baseline: that code embeds the input twice (word, position and
type embeddings and LayerNorm, then positions, types and LayerNorm again), which handicaps PT.
`prompt.double_embedding: true` does the same, types of the second pass set to 0 as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor

from ptuning.backbones.partial import trial_batch
from ptuning.errors import InputError
from ptuning.methods.base import PromptConfig, PromptMethod, reparameterized
from ptuning.prompts.inits.base import Init
from ptuning.prompts.placement import Batch, Layout
from ptuning.seeds import Streams

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone


class PromptTuning(PromptMethod):
    class Prompt(PromptConfig):
        double_embedding: bool = Field(description="embed the input twice, as the released PT baseline does")

    kind = "input"

    def __init__(self, prompt: Prompt, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        if prompt.double_embedding:
            _check(backbone)
        self.layout = Layout(prompt.length, prompt.length, prompt.placement, prompt.positions)
        self.reparameterization = reparameterized(
            prompt, backbone.embedding, backbone.embedding, lambda: init.input_prompt(prompt.length), init
        )
        self.shape = (prompt.length, backbone.embedding)
        self.double_embedding = prompt.double_embedding

    def dropout_mask(self, streams: Streams, step: int, sequences: int) -> Tensor | None:
        """`[B, P, E]`."""
        return streams.keep_mask("prompt", step, self.dropout.rate, (sequences, *self.shape))

    def embed(
        self, backbone: Backbone, batch: Batch, embeds: Tensor, dropout_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Token embeddings with prompt row `slots` wherever that is not -1: `[B, T, E]`."""
        tokens, types = embeds, batch.token_type_ids
        if self.double_embedding:
            tokens, types = _embedded_once(backbone, batch), torch.zeros_like(types)
        prompt = self.reparameterization().to(tokens.dtype).expand(len(tokens), -1, -1)  # [B, P, E]
        slots = batch.slots.clamp(min=0)[..., None].expand(-1, -1, prompt.shape[-1])
        placed = self.dropout(prompt, dropout_mask).gather(1, slots)  # [B, T, E]
        return torch.where((batch.slots >= 0)[..., None], placed, tokens), types


def _check(backbone: Backbone) -> None:
    """Raise InputError where there is no embedding module, or it widens what it gives, which then cannot go in
    again."""
    try:
        width = _embedded_once(backbone, trial_batch(backbone)).shape[-1]
    except (AttributeError, TypeError):  # there is none, or it takes other things than BERT's
        raise InputError(
            "prompt.double_embedding=true is refused: this backbone has no embedding module whose output could be "
            "embedded again, as BERT and its like have; set prompt.double_embedding=false."
        ) from None
    if width != backbone.embedding:
        raise InputError(
            f"prompt.double_embedding=true is refused: this backbone's embedding module takes {backbone.embedding} "
            f"numbers a token and gives {width}; set prompt.double_embedding=false."
        )


def _embedded_once(backbone: Backbone, batch: Batch) -> Tensor:
    """The embedding module's whole output `[B, T, E]` at the positions that the tokens have without a prompt."""
    real = (batch.slots < 0).long()
    positions = ((real.cumsum(1) - 1) * real).clamp(max=backbone.positions - 1) + backbone.first_position
    return backbone.model.embeddings(
        input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, position_ids=positions
    )
