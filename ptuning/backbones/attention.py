"""The one seam where deep prompts enter a backbone: transformers' attention interface.

A registered attention function puts a layer's prompt keys and values before the layer's own, widens the mask, and
calls the stock function. The model's code is untouched and no cache is involved, so depth is a matter of which
layers hold a prompt, and gradient checkpointing simply calls the function again. Peers pass `past_key_values`
instead, which gradient checkpointing silently drops and which has no notion of depth.

Families whose attention does not go through the interface do the same in an attention of their own
(`ptuning.backbones.families`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from ptuning.errors import InputError
from ptuning.prompts.deep import LayerPrompt

HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class SingleQuery:
    """Tokens that ask while all are looked at: the whole of a layer's input `[B, T, H]`, and the one token of each row
    that asks, `at` `[B]`. The layer itself is given only that token, `[B, 1, H]`."""

    hidden: Tensor
    at: Tensor

    def keys_and_values(self, attention: nn.Module, query: Tensor) -> tuple[Tensor, Tensor]:
        """Those of all tokens, `[B, A, T, D]`."""
        batch, heads, _, size = query.shape
        key, value = (project(self.hidden) for project in projections(attention))
        return key.view(batch, -1, heads, size).transpose(1, 2), value.view(batch, -1, heads, size).transpose(1, 2)

    def rows(self, whole: Tensor) -> Tensor:
        """Of something with a row for each token (a mask `[B, 1, T, T]`, say) the rows of those that ask:
        `[B, 1, 1, T]`."""
        return whole[torch.arange(len(whole), device=whole.device), :, self.at][:, :, None]


def projections(attention: nn.Module) -> list[nn.Linear]:
    """What makes keys and values of hidden states; none where the family does it in another way."""
    for names in (("key", "value"), ("k_lin", "v_lin"), ("k_proj", "v_proj")):
        found = [getattr(attention, name, None) for name in names]
        if all(isinstance(one, nn.Linear) for one in found):
            return found  # type: ignore[return-value]
    return []


_watching: list[nn.Module] | None = None  # the attention modules seen so far, while `attention_layers` looks


def watch(module: nn.Module) -> None:
    """To be called by whatever attends to a layer's prompt: `attention_layers` believes what it sees, nothing else."""
    if _watching is not None:
        _watching.append(module)


def _prompted(stock: Callable[[nn.Module], Callable[..., Any]]) -> Callable[..., Any]:
    def attend(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any
    ) -> Any:
        watch(module)
        asking: SingleQuery | None = getattr(module, "asking", None)
        if asking is not None:
            key, value = asking.keys_and_values(module, query)
            attention_mask = None if attention_mask is None else asking.rows(attention_mask)
        given = query.dtype
        query, key, value = upcast_on_cpu(query, key, value)
        prompt: LayerPrompt | None = getattr(module, "layer_prompt", None)
        if prompt is not None:
            attention_mask = _widen(attention_mask, prompt, query, key.shape[2])
            key, value = prompt.before(key, value)
        if attention_mask is not None and attention_mask.dtype != torch.bool:
            attention_mask = attention_mask.to(query.dtype)
        with torch.autocast("cpu", enabled=False):  # which would narrow them again
            seen, *others = stock(module)(module, query, key, value, attention_mask, **rest)
        return seen.to(given), *others

    return attend


def upcast_on_cpu(*tensors: Tensor) -> list[Tensor]:
    """Query, key and value, in float32 where they are in half precision on a CPU: there attention's backward pass in
    bfloat16 is slow and takes back more than half of what bfloat16 saves elsewhere."""
    return [one.float() if one.device.type == "cpu" and one.dtype in HALF else one for one in tensors]


def _widen(mask: Tensor | None, prompt: LayerPrompt, query: Tensor, tokens: int) -> Tensor | None:
    """The mask `[B, 1, Q, T]` (boolean, or additive) of Q queries and T tokens with the prompt's P columns before it:
    `[B, 1, Q, P + T]`, additive so that no layer has to convert it again."""
    if mask is None and prompt.visible is None:
        return None
    known = (id(mask), id(prompt.visible), query.shape[2])
    if known not in prompt.masks:
        # The mask is kept beside what was made of it, so that its id is not given to another one.
        prompt.masks[known] = mask, extend_mask(mask, prompt, query, tokens)
    return prompt.masks[known][1]


def extend_mask(mask: Tensor | None, prompt: LayerPrompt, query: Tensor, tokens: int) -> Tensor:
    """As `_widen`, made anew. A mask `[B, A, Q, T]` that holds a bias for each head stays one: the prompt's columns
    have none."""
    batch, _, asking, _ = query.shape
    shut = torch.finfo(query.dtype).min
    if mask is None:
        mask = query.new_zeros(batch, 1, 1, tokens)
    elif mask.dtype == torch.bool:
        mask = query.new_zeros(mask.shape).masked_fill_(~mask, shut)
    columns = query.new_zeros(batch, prompt.key.shape[2])
    if prompt.visible is not None:
        columns.masked_fill_(~prompt.visible, shut)
    columns = columns[:, None, None, :].expand(batch, mask.shape[1], mask.shape[2], -1)
    return torch.cat([columns, mask], dim=-1).expand(batch, -1, asking, -1)


def _eager(module: nn.Module) -> Callable[..., Any]:
    return sys.modules[type(module).__module__].eager_attention_forward


def _additive_mask(*arguments: Any, **rest: Any) -> Tensor:
    """Eager attention adds its mask, so `_widen` needs one of that kind to widen, also where nothing is padded."""
    return eager_mask(*arguments, **rest | {"allow_is_bidirectional_skip": False})


def _boolean_mask(*arguments: Any, **rest: Any) -> Tensor | None:
    """On an accelerator, asking whether anything is padded would make the host wait for the device in each step."""
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


def attention_layers(model: PreTrainedModel, layers: int) -> list[nn.Module]:
    """The self-attention module of each layer, first layer first, found by watching one forward pass.

    Raises InputError for a family whose attention neither goes through the interface nor has a file in
    `ptuning.backbones.families`: prompts would be ignored there without a word.
    """
    global _watching
    family = model.config.model_type
    seen: list[nn.Module] = []
    _watching = seen
    try:
        with torch.inference_mode():
            device = next(model.parameters()).device
            model(input_ids=torch.ones(1, 2, dtype=torch.long, device=device))
    except Exception as error:  # whatever a family that is no plain encoder raises on token ids alone
        raise InputError(
            f"backbone family {family!r} is no plain encoder ({error}): choose bert, roberta, ..."
        ) from error
    finally:
        _watching = None
    if len(seen) == layers and len({id(module) for module in seen}) < layers:
        raise InputError(f"backbone family {family!r} shares one attention among layers: choose bert, roberta, ...")
    if len(seen) != layers:
        raise InputError(
            f"backbone family {family!r} cannot take deep prompts: {len(seen)} of its {layers} layers call "
            "transformers' attention interface, and ptuning/backbones/families has no file for it; choose another "
            "family (bert, roberta, deberta, ...)."
        )
    if any(getattr(module, "is_causal", False) for module in seen):
        raise InputError(f"backbone family {family!r} is causal: choose a bidirectional encoder (bert, roberta, ...).")
    return seen


def set_prompts(attention: Sequence[nn.Module], prompts: Sequence[LayerPrompt | None]) -> None:
    """Give each layer its prompt, or none. It stays until the next call, since checkpointed layers run again in the
    backward pass."""
    for module, prompt in zip(attention, prompts, strict=True):
        module.layer_prompt = prompt  # type: ignore[assignment]
