"""DeBERTa (He et al., 2021): attention scores are content to content, content to position and position to content,
each divided by the square root of 3 D.

The released checkpoints have no absolute positions (`position_biased_input: false`): a token's place is its index in
the sequence and a deep prompt takes none, so `prompt.positions` shift and keep are one function there.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.deberta.modeling_deberta import DisentangledSelfAttention

from ptuning.backbones.families.base import PromptedAttention, masked, swap
from ptuning.errors import InputError

COUNTS_COLUMNS = True  # its biases are of distances between columns (`families.counts_columns`)


class Attention(PromptedAttention, DisentangledSelfAttention):
    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor, output_attentions: bool = False, **relative: Any
    ) -> tuple[Tensor, Tensor | None]:
        """The context `[B, Q, H]`; no attention map beside a prompt."""
        # Under autocast the stock class adds its full-precision biases to half-precision queries, and then overflows.
        idle = self.idle(hidden_states, self.num_attention_heads)
        if idle and not torch.is_autocast_enabled(hidden_states.device.type):
            return super().forward(hidden_states, attention_mask, output_attentions, **relative)
        mixed = self.transpose_for_scores(self.in_proj(self.tokens(hidden_states)))  # a head's query, key and value
        query, key, value = mixed.chunk(3, dim=-1)
        query = (query + self.transpose_for_scores(self.q_bias[None, None])).to(key.dtype)
        value = (value + self.transpose_for_scores(self.v_bias[None, None])).to(key.dtype)
        terms = 1 + len(self.pos_att_type)
        scaling = 1 / math.sqrt(query.shape[-1] * terms)
        bias = query.new_zeros(1, 1, 1, 1)
        if self.relative_attention and {"c2p", "p2c"} & set(self.pos_att_type):
            places = self.pos_dropout(relative["rel_embeddings"])
            bias = self.disentangled_att_bias(query * scaling, key, relative["relative_pos"], places, terms)
        return self.attend(query, key, value, masked(bias.to(key.dtype), attention_mask), scaling), None


def adapt(model: PreTrainedModel) -> None:
    """Raises InputError for talking heads, which mix the heads' scores: no released checkpoint has them."""
    if getattr(model.config, "talking_head", False):
        raise InputError(
            "backbone family 'deberta' takes no deep prompts where the checkpoint's config has talking_head=true: "
            "choose a checkpoint without it (microsoft/deberta-xlarge)."
        )
    swap(model, DisentangledSelfAttention, Attention)
