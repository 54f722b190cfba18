"""What the families' own attentions share: a site's prompt beside keys, values and relative-position bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning.backbones.attention import extend_mask, upcast_on_cpu, watch
from ptuning.backbones.forward_pass import SingleQuery, SitePort
from ptuning.prompts.deep import SitePrompt


class PromptedAttention:
    """Stands before a family's self-attention class in a subclass of both. That one's `forward` leaves the work to the
    stock class where it is `idle`; else it works out query, key, value and bias as the stock class does, and `attend`
    does the rest, in one implementation whatever `runtime.attention` says."""

    site_port: SitePort | None = None
    dropout: nn.Dropout  # of the attention's weights; the stock class's, like `training`
    training: bool

    @property
    def prompt(self) -> SitePrompt | None:
        return None if self.site_port is None else self.site_port.prompt

    @property
    def single_query(self) -> SingleQuery | None:
        return None if self.site_port is None else self.site_port.single_query

    def idle(self, hidden: Tensor, heads: int) -> bool:
        """Whether this pass over `hidden` `[B, T, H]` is the stock class's own: no prompt, and all tokens are queries.
        To be asked in every pass, since it is what `sites` watches; `heads` are those of keys and values."""
        keys = hidden.unflatten(-1, (heads, -1)).transpose(1, 2)
        watch(self, keys, keys)  # type: ignore[arg-type]
        return self.prompt is None and self.single_query is None

    def tokens(self, hidden: Tensor) -> Tensor:
        """The hidden states of all tokens, `[B, T, H]`, also where the layer is given only the single queries."""
        return hidden if self.single_query is None else self.single_query.hidden

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
        """What the queries make of prompt and tokens, `[B, Q, A * D]`: softmax over P + T columns.

        query, key, value: `[B, A, T, D]`, of all tokens, since a relative bias depends on where the query stands;
        bias: `[B, A or 1, T, T]`, what is added to the scaled scores, the masked columns included. The prompt's
        columns have no bias, and their scores the scaling of the others, as in the authors' DeBERTa.
        """
        if self.single_query is not None:
            query, bias = self.single_query.of_query(query), self.single_query.of_query(bias)
        given = query.dtype
        query, key, value = upcast_on_cpu(query, key, value)
        if self.prompt is not None:
            bias = extend_mask(bias, self.prompt, query, key.shape[2])
            key, value = self.prompt.prepend(key, value)
        rate = self.dropout.p if self.training else 0.0
        with torch.autocast("cpu", enabled=False):  # which would cast them down again
            seen = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=bias.to(query.dtype), dropout_p=rate, scale=scaling
            )
        return seen.to(given).transpose(1, 2).flatten(2)


def masked(bias: Tensor, mask: Tensor) -> Tensor:
    """The bias with those columns masked that the mask `[B, 1, T, T]` does not show."""
    return bias.masked_fill(~mask.bool(), torch.finfo(bias.dtype).min)


def swap(model: nn.Module, stock: type[nn.Module], ours: type[nn.Module]) -> None:
    """Make each `stock` module of the model one of `ours`, a subclass; its weights stay as they are."""
    for module in model.modules():
        if isinstance(module, stock):
            module.__class__ = ours
