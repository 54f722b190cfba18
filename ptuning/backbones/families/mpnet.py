"""MPNet (Song et al., 2020): absolute positions in the embeddings, and a bias for each distance, one for all layers,
that the encoder works out once a pass."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.mpnet.modeling_mpnet import MPNetLayer, MPNetSelfAttention

from ptuning.backbones.families.base import PromptedAttention, swap

COUNTS_COLUMNS = True  # its biases are of distances between columns (`families.counts_columns`)


class Attention(PromptedAttention, MPNetSelfAttention):
    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor, position_bias: Tensor, **rest: Any
    ) -> tuple[Tensor, ...]:
        """`[B, Q, H]`, projected. attention_mask: additive, `[B, 1, T, T]`; position_bias: `[B, A, T, T]`."""
        if self.idle(hidden_states, self.num_attention_heads):
            return super().forward(hidden_states, attention_mask, position_bias, **rest)
        hidden, heads = self.tokens(hidden_states), (self.num_attention_heads, self.attention_head_size)
        query, key, value = (
            project(hidden).unflatten(-1, heads).transpose(1, 2) for project in (self.q, self.k, self.v)
        )  # fmt: skip
        scaling = 1 / math.sqrt(self.attention_head_size)
        return (self.o(self.attend(query, key, value, position_bias + attention_mask, scaling)),)


class Layer(GradientCheckpointingLayer, MPNetLayer):
    """A layer that can be worked out again in the backward pass: the stock class cannot."""


def adapt(model: PreTrainedModel) -> None:
    """Let each layer and its attention see the layer's prompt."""
    swap(model, MPNetSelfAttention, Attention)
    swap(model, MPNetLayer, Layer)
    model.supports_gradient_checkpointing = True
    model.config._attn_implementation = "prompted_eager"  # masks to be added, the only kind that MPNet knows
