"""The one seam where deep prompts enter a backbone: transformers' attention interface.

A registered attention function puts a site's prompt keys and values before the site's own, extends the mask, and
calls the stock function. The model's code is untouched and no cache is involved, so depth is a matter of which
sites hold a prompt, and gradient checkpointing simply calls the function again. Peers pass `past_key_values`
instead, which gradient checkpointing silently drops and which has no notion of depth.

Families whose attention does not go through the interface do the same in an attention of their own
(`ptuning.backbones.families`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from ptuning.backbones.forward_pass import ForwardPass, SitePort
from ptuning.prompts.deep import SitePrompt

HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Watched:
    """An attention module that a prompt reaches, as it was seen at work: its key/value heads, their size, and how
    many queries and keys it had."""

    attention: nn.Module
    kv_heads: int
    head_dim: int
    queries: int
    keys: int


_watched: list[Watched] | None = None  # what was seen so far, while `watching`


@contextmanager
def watching() -> Iterator[list[Watched]]:
    """What attends to prompts in the passes of the block, in the order in which it does."""
    global _watched
    _watched = []
    try:
        yield _watched
    finally:
        _watched = None


def watch(attention: nn.Module, query: Tensor, key: Tensor) -> None:
    """To be called by whatever attends to a site's prompt: `sites` believes what it sees, nothing else."""
    if _watched is not None:
        _watched.append(Watched(attention, key.shape[1], key.shape[3], query.shape[2], key.shape[2]))


def _prompted(stock: Callable[[nn.Module], Callable[..., Any]]) -> Callable[..., Any]:
    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any
    ) -> Any:
        watch(module, query, key)
        port: SitePort | None = getattr(module, "site_port", None)
        given = query.dtype
        if port is not None and (single := port.single_query) is not None:
            key, value = single.keys_and_values(module, key)
            attention_mask = None if attention_mask is None else single.of_query(attention_mask)
        query, key, value = upcast_on_cpu(query, key, value)
        if port is not None and (prompt := port.prompt) is not None:
            attention_mask = _extended(port.state, attention_mask, prompt, query, key.shape[2])
            if attention_mask is None and query.shape[2] > 1 and getattr(module, "is_causal", False):
                raise RuntimeError("a causal mask must be explicit beside a prompt, or the last keys would be dropped")
            key, value = prompt.prepend(key, value)
            bias = rest.get("position_bias")  # T5's: none at the prompt's columns
            if bias is not None:
                rest["position_bias"] = functional.pad(bias, (prompt.key.shape[2], 0))
        if attention_mask is not None and attention_mask.dtype != torch.bool:
            attention_mask = attention_mask.to(query.dtype)
        if rest.get("position_bias") is not None:
            rest["position_bias"] = rest["position_bias"].to(query.dtype)
        with torch.autocast("cpu", enabled=False):  # which would cast them down again
            seen, *others = stock(module)(module, query, key, value, attention_mask, **rest)
        return seen.to(given), *others

    return attend


def upcast_on_cpu(*tensors: Tensor) -> list[Tensor]:
    """Query, key and value, in float32 where they are in half precision on a CPU: there attention's backward pass in
    bfloat16 is slow and takes back more than half of what bfloat16 saves elsewhere."""
    return [one.float() if one.device.type == "cpu" and one.dtype in HALF else one for one in tensors]


def _extended(
    state: ForwardPass, mask: Tensor | None, prompt: SitePrompt, query: Tensor, tokens: int
) -> Tensor | None:
    """The mask `[B, 1, Q, T]` (boolean, or additive) of Q queries and T tokens with the prompt's P columns before it:
    `[B, 1, Q, P + T]`, additive so that no layer has to convert it again."""
    if mask is None and prompt.prompt_mask is None and state.first_query is None:
        return None
    return state.extended(
        mask, prompt.prompt_mask, query.shape[2], lambda: extend_mask(mask, prompt, query, tokens, state.first_query)
    )


def extend_mask(
    mask: Tensor | None, prompt: SitePrompt, query: Tensor, tokens: int, first_query: Tensor | None = None
) -> Tensor:
    """As `_extended`, made anew. A mask `[B, A, Q, T]` that holds a bias for each head stays one: the prompt's columns
    have none. The queries are the last of the tokens: all of them, or one where earlier keys come from a cache."""
    batch, _, queries, _ = query.shape
    mask_value = torch.finfo(query.dtype).min
    if mask is None:
        mask = query.new_zeros(batch, 1, 1, tokens)
    elif mask.dtype == torch.bool:
        mask = query.new_zeros(mask.shape).masked_fill_(~mask, mask_value)
    columns = query.new_zeros(batch, prompt.key.shape[2])
    if prompt.prompt_mask is not None:
        columns.masked_fill_(~prompt.prompt_mask, mask_value)
    columns = columns[:, None, None, :].expand(batch, mask.shape[1], mask.shape[2], -1)
    if first_query is not None:
        index = torch.arange(tokens - queries, tokens, device=mask.device)
        unseen = first_query[:, None, None, :] > index[:, None]  # [B, 1, Q, P]
        columns = columns.expand(-1, -1, queries, -1).masked_fill(unseen, mask_value)
        mask = mask.expand(-1, -1, queries, -1)
    return torch.cat([columns, mask], dim=-1).expand(batch, -1, queries, -1)


def _eager(module: nn.Module) -> Callable[..., Any]:
    return sys.modules[type(module).__module__].eager_attention_forward


def _additive_mask(*arguments: Any, **rest: Any) -> Tensor:
    """Eager attention adds its mask, so `extend_mask` needs one of that kind to extend, also where nothing is
    padded."""
    return eager_mask(*arguments, **rest | {"allow_is_bidirectional_skip": False})


def _boolean_mask(*arguments: Any, **rest: Any) -> Tensor | None:
    """On an accelerator, asking whether anything is padded would make the host wait for the device in each step.

    A causal mask is always made: where it is left to `is_causal`, attention drops as many of the last keys as there
    are prompt vectors, without a word.
    """
    rest["allow_is_causal_skip"] = False
    if torch.device(rest.get("device", "cpu")).type != "cpu":
        rest["allow_is_bidirectional_skip"] = False
    return sdpa_mask(*arguments, **rest)


# On Hopper cuDNN's attention plans about a second for every new shape with a mask: 16 first steps of BERT-large took
# 17 s with it and 0.8 s without.
torch.backends.cuda.enable_cudnn_sdp(False)

AttentionInterface.register("prompted_sdpa", _prompted(lambda module: sdpa_attention_forward))
AttentionMaskInterface.register("prompted_sdpa", _boolean_mask)
AttentionInterface.register("prompted_eager", _prompted(_eager))
AttentionMaskInterface.register("prompted_eager", _additive_mask)
