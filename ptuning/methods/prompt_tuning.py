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
from ptuning.methods.base import InputPromptMethod, PromptConfig
from ptuning.prompts.inits.base import Init
from ptuning.prompts.placement import Batch

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone


class PromptTuning(InputPromptMethod):
    peft_type = "PROMPT_TUNING"

    class Prompt(PromptConfig):
        double_embedding: bool = Field(description="embed the input twice, as the released PT baseline does")

    def __init__(self, prompt: Prompt, backbone: Backbone, init: Init) -> None:
        if prompt.double_embedding:
            _check(backbone)
        super().__init__(prompt, backbone, init)
        self.double_embedding = prompt.double_embedding

    def text(self, backbone: Backbone, batch: Batch, embeds: Tensor) -> tuple[Tensor, Tensor]:
        if not self.double_embedding:
            return super().text(backbone, batch, embeds)
        return _embedded_once(backbone, batch), torch.zeros_like(batch.token_type_ids)


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
    positions = ((real.cumsum(1) - 1) * real).clamp(max=backbone.shape.positions - 1) + backbone.first_position
    return backbone.model.embeddings(
        input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, position_ids=positions
    )
