"""What the families' own attentions share: a layer's prompt beside keys, values and relative-position bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning.backbones.attention import SingleQuery, extend_mask, upcast_on_cpu, watch
from ptuning.prompts.deep import LayerPrompt


class PromptedAttention:
    """Stands before a family's self-attention class in a subclass of both. That one's `forward` leaves the work to the
    stock class where it is `idle`; else it works out query, key, value and bias as the stock class does, and `attend`
    does the rest, in one implementation whatever `runtime.attention` says."""

    layer_prompt: LayerPrompt | None = None
    asking: SingleQuery | None = None
    dropout: nn.Dropout  # of the attention's weights; the stock class's, like `training`
    training: bool

    def idle(self) -> bool:
        """Whether this pass is the stock class's own: no prompt, and all tokens ask."""
        watch(self)  # type: ignore[arg-type]
        return self.layer_prompt is None and self.asking is None

    def tokens(self, hidden: Tensor) -> Tensor:
        """The hidden states of all tokens, `[B, T, H]`, also where the layer is given only those that ask."""
        return hidden if self.asking is None else self.asking.hidden

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
        """What the tokens that ask make of prompt and tokens, `[B, Q, A * D]`: softmax over P + T columns.

        query, key, value: `[B, A, T, D]`, of all tokens, since a relative bias depends on where the asking one stands;
        bias: `[B, A or 1, T, T]`, what is added to the scaled scores, the closed columns of the mask included. The
        prompt's columns have no bias, and their scores the scaling of the others, as in the authors' DeBERTa.
        """
        if self.asking is not None:
            query, bias = self.asking.rows(query), self.asking.rows(bias)
        given = query.dtype
        query, key, value = upcast_on_cpu(query, key, value)
        if self.layer_prompt is not None:
            bias = extend_mask(bias, self.layer_prompt, query, key.shape[2])
            key, value = self.layer_prompt.before(key, value)
        rate = self.dropout.p if self.training else 0.0
        with torch.autocast("cpu", enabled=False):  # which would narrow them again
            seen = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=bias.to(query.dtype), dropout_p=rate, scale=scaling
            )
        return seen.to(given).transpose(1, 2).flatten(2)


def closed(bias: Tensor, mask: Tensor) -> Tensor:
    """The bias with the columns shut that the mask `[B, 1, T, T]` does not show."""
    return bias.masked_fill(~mask.bool(), torch.finfo(bias.dtype).min)


def swap(model: nn.Module, stock: type[nn.Module], ours: type[nn.Module]) -> None:
    """Make each `stock` module of the model one of `ours`, a subclass; its weights stay as they are."""
    for module in model.modules():
        if isinstance(module, stock):
            module.__class__ = ours
