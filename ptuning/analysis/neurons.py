"""The neurons of a frozen backbone that a prompt activates (On Transferability of Prompt Tuning, Su et al., 2022,
section 6.1): those whose feed-forward's first linear output is above 0, where the backbone answers, when it reads the
prompt and nothing else.

That is at a mask behind the prompt in an encoder; at the first position of an encoder-decoder's decoder, whose encoder
reads the prompt and a sentinel, as in the released code; and in a decoder at the token that its texts begin or end
with, behind the prompt. Of gated units it is the gate, whose nonlinearity decides whether a neuron speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ptuning.backbones.backbone import Backbone
from ptuning.errors import InputError
from ptuning.prompts.placement import Batch

# The first linear layer of a feed-forward, as transformers' families call it; with gated units, the gate's.
FIRST_LINEAR = ("intermediate.dense", "lin1", "ffn", "wi", "wi_0", "fc1", "c_fc", "gate_proj")


@torch.inference_mode()
def activated_neurons(backbone: Backbone, prompts: Tensor) -> Tensor:
    """Which neurons each of the input prompts `[N, P, E]` activates, `[N, L, F]`, of the stack that answers.

    Raises InputError for a family whose feed-forward layers are not known, and for a tokenizer without the token.
    """
    backbone.eval()
    batch = _batch(backbone, *prompts.shape[:2])
    tokens = backbone.embed_tokens(batch)
    embeds = torch.cat([prompts.to(tokens.device, tokens.dtype), tokens[:, -1:]], dim=1)
    with _recorded(backbone) as outputs, backbone.attending({}):
        hidden = backbone(embeds, batch.token_type_ids, batch)
        if backbone.architecture == "encoder_decoder":
            start = torch.full_like(batch.input_ids[:, :1], backbone.model.config.decoder_start_token_id)
            backbone.decode(start, torch.ones_like(start), hidden, batch)
    by_row = [
        output.reshape(len(prompts), -1, output.shape[-1]) for output in outputs
    ]  # OPT has all tokens in one row
    return torch.stack([output[:, -1] > 0 for output in by_row], dim=1).cpu()


def _batch(backbone: Backbone, count: int, length: int) -> Batch:
    """Rows of a prompt's places and the token at which the backbone answers."""
    ids = torch.full((count, length + 1), backbone.pad, device=backbone.device)
    ids[:, -1] = _token(backbone)
    positions = (torch.arange(length + 1, device=ids.device) + backbone.first_position).expand(count, -1)
    return Batch(ids, ids * 0, positions, torch.ones_like(ids), ids * 0 - 1, ids[:, :1] * 0)


def _token(backbone: Backbone) -> int:
    tokenizer = backbone.tokenizer
    borders = (tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.eos_token_id)
    asked = {
        "encoder": tokenizer.mask_token_id,
        "encoder_decoder": tokenizer.get_vocab().get("<extra_id_0>", tokenizer.mask_token_id),
        "decoder": next((token for token in borders if token is not None), None),
    }
    found = asked[backbone.architecture]
    if found is None:
        raise InputError(
            f"the tokenizer of backbone family {backbone.model.config.model_type!r} has no token for where a "
            f"{backbone.architecture} answers (a mask, a sentinel, or one that begins texts): choose another backbone."
        )
    return int(found)


@contextmanager
def _recorded(backbone: Backbone) -> Iterator[list[Tensor]]:
    """What the first linear layers of the stack that answers give in the block, `[B, T, F]` each, in their order."""
    outputs: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda _, __, output: outputs.append(output))
        for module in _first_linear_layers(backbone)
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _first_linear_layers(backbone: Backbone) -> list[nn.Module]:
    network = backbone.network
    stack = network.model.get_decoder() if backbone.architecture == "encoder_decoder" else network.body
    endings = tuple(f".{name}" for name in FIRST_LINEAR)
    named = [module for name, module in stack.named_modules() if f".{name}".endswith(endings)]
    found = [module for module in named if hasattr(module, "weight")]  # DistilBERT's `ffn` is the whole of it
    if not found:
        raise InputError(
            f"backbone family {network.model.config.model_type!r} has no feed-forward layers that are known here, so "
            "that no neurons can be read: choose another backbone."
        )
    return found
