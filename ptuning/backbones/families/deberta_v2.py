"""DeBERTa v2 and v3: as v1 (`deberta.py`, beside this), with distances in logarithmic buckets and, in the released
checkpoints, the content's own projections for positions too.

No absolute positions here either: `prompt.positions` shift and keep are one function for deep prompts. v2-xlarge and
v2-xxlarge add a convolution to the first layer's output, within the encoder's loop, so that the encoder cannot be
entered at a later layer: `Backbone.runs_from_layer` comes out false for them.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention

from ptuning.backbones.families.base import PromptedAttention, masked, swap

COUNTS_COLUMNS = True  # its biases are of distances between columns (`families.counts_columns`)


class Attention(PromptedAttention, DisentangledSelfAttention):
    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor, output_attentions: bool = False, **relative: Any
    ) -> tuple[Tensor, Tensor | None]:
        """The context `[B, Q, H]`; no attention map beside a prompt."""
        if self.idle(hidden_states, self.num_attention_heads):
            return super().forward(hidden_states, attention_mask, output_attentions, **relative)
        hidden, heads = self.tokens(hidden_states), self.num_attention_heads
        projections = (self.query_proj, self.key_proj, self.value_proj)
        query, key, value = (self.transpose_for_scores(project(hidden), heads) for project in projections)  # [BA,T,D]
        terms = 1 + sum(kind in self.pos_att_type for kind in ("c2p", "p2c"))
        bias = query.new_zeros(heads, 1, 1)
        if self.relative_attention and terms > 1:
            places = self.pos_dropout(relative["rel_embeddings"])
            bias = self.disentangled_attention_bias(query, key, relative["relative_pos"], places, terms)
        query, key, value, bias = (one.unflatten(0, (-1, heads)) for one in (query, key, value, bias))
        scaling = 1 / math.sqrt(query.shape[-1] * terms)
        return self.attend(query, key, value, masked(bias, attention_mask), scaling), None


def adapt(model: PreTrainedModel) -> None:
    """Let each layer's attention see the layer's prompt."""
    swap(model, DisentangledSelfAttention, Attention)
