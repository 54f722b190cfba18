"""The backbone: a pretrained encoder, its tokenizer and its shape. Every parameter of it is frozen when it is loaded;
only `fine_tuning` unfreezes it (`Backbone.unfreeze`)."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ptuning.backbones import families, sites
from ptuning.backbones.forward_pass import CurrentPass, ForwardPass
from ptuning.backbones.hidden_cache import HiddenCache
from ptuning.backbones.partial import PartialLayers, agrees
from ptuning.backbones.sites import Site
from ptuning.errors import InputError
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Batch

PRECISION = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Backbone(nn.Module):
    """A frozen encoder that takes embeddings and deep prompts and gives hidden states.

    `pooler` holds the checkpoint's pooler weights (`dense.weight` `[H, H]`, `dense.bias` `[H]`) where it has them: the
    pooler itself belongs to the head (`ptuning.heads`), which says whether it is used, frozen or trained.

    `runs_from_layer` and `runs_single_query` say whether the family's layers can be entered at a later one, and
    whether the last can work out one token alone.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, pooler: dict[str, Tensor] | None) -> None:
        super().__init__()
        config = model.eval().config
        self.model, self.tokenizer, self.pooler = model, tokenizer, pooler
        self.layers: int = config.num_hidden_layers
        self.hidden: int = config.hidden_size
        self.embedding: int = model.get_input_embeddings().embedding_dim
        families.adapt(model)
        self.current = CurrentPass()
        self.sites = sites.find(model, self.layers, self.current)
        self._accepted = set(inspect.signature(model.forward).parameters)
        if not {"position_ids", "inputs_embeds"} <= self._accepted:
            raise InputError(
                f"backbone family {config.model_type!r} takes no position ids, so a prompt's place cannot be stated: "
                "choose a family that does (bert, roberta, electra, ...)."
            )
        self.first_position = _first_position(model)
        self.positions: int = config.max_position_embeddings - self.first_position
        self.autocast: torch.dtype | None = None
        self.fingerprint = fingerprint(model)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        self.hidden_cache: HiddenCache | None = None
        self._partial = PartialLayers.of(model, list(self.sites.values()), self.current)
        self.runs_from_layer = self._partial is not None and self.layers > 1 and agrees(self, entry_layer=2)
        self.runs_single_query = self._partial is not None and agrees(self, single_query=True)

    def sites_of(self, layers: Sequence[int]) -> list[Site]:
        """The sites of some layers, ascending."""
        return [self.sites[SiteKey("encoder", layer)] for layer in sorted(layers)]

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def cast_frozen(self, dtype: torch.dtype) -> None:
        """Hold the frozen weights in `dtype`; prompts, heads and optimizers stay in float32."""
        self.to(dtype)

    def cache_hidden(self, memory: float, disk: float) -> None:
        """Compute the layers below the first prompt once a text and keep what they give, at most `memory` bytes of it
        on the device and `disk` bytes in files. For a frozen backbone without dropout, in its final precision."""

        def compute(layer: int, batch: Batch) -> Tensor:
            return self.forward_until(layer, self.embed_tokens(batch), batch.token_type_ids, batch)

        like = torch.empty(1, self.hidden, dtype=self.dtype, device=self.device)
        self.hidden_cache = HiddenCache(compute, like, memory, disk) if self.runs_from_layer else None

    @property
    def pad(self) -> int:
        return int(self.tokenizer.pad_token_id)

    def unfreeze(self, dtype: torch.dtype) -> None:
        """Let every parameter train, in float32, computing in `dtype` (fine-tuning)."""
        self.autocast = None if dtype == torch.float32 else dtype
        for parameter in self.parameters():
            parameter.requires_grad_(True)

    def embed_tokens(self, batch: Batch) -> Tensor:
        """The word embeddings `[B, T, E]` of a batch's tokens, without positions: what `inputs_embeds` expects."""
        return self.model.get_input_embeddings()(batch.input_ids)

    @contextmanager
    def attending(
        self, prompts: Mapping[SiteKey, SitePrompt], single_query: Tensor | None = None
    ) -> Iterator[ForwardPass]:
        """A pass in which each site attends to its entry of `prompts` too; its backward pass belongs in the block.

        With `single_query` `[B]`, the last layer works out the hidden state of that one token of each row and no
        other, `[B, 1, H]`; only where `runs_single_query`. Raises RuntimeError inside another such block.
        """
        with self.current.set(ForwardPass(prompts, single_query)) as state:
            yield state

    def forward(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """Hidden states `[B, T, H]` of `embeds` `[B, T, E]`; outside of `attending`, the plain backbone's."""
        inputs = {
            "inputs_embeds": embeds,
            "attention_mask": batch.attention_mask,
            "position_ids": batch.position_ids,
        }
        if "token_type_ids" in self._accepted:
            inputs["token_type_ids"] = token_type_ids
        computing = torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()
        with computing:
            return self.model(**inputs).last_hidden_state

    def forward_from(self, layer: int, hidden: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """As `forward`, from the hidden states `[B, T, H]` that enter `layer`, so that the layers below it do not run;
        from embeddings `[B, T, E]` where it is 1. Inside `attending`; above layer 1 only where `runs_from_layer`."""
        if layer == 1:
            return self(hidden, token_type_ids, batch)
        assert self._partial is not None and self.current.running
        self.current.state.entry_layer, self.current.state.entry_hidden = layer, hidden
        with self._partial.only(slice(layer - 1, None)):
            return self(self._placeholder(hidden), token_type_ids, batch)

    def forward_until(self, layer: int, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """The hidden states `[B, T, H]` that enter `layer` (2 or higher), without a prompt and without gradient."""
        assert self._partial is not None
        below = self._partial.only(slice(layer - 1))
        with self.attending({}), torch.no_grad(), below as layers, self._partial.recorded(layers[-1]) as found:
            self(embeds, token_type_ids, batch)
        return found[0]

    def _placeholder(self, hidden: Tensor) -> Tensor:
        """Something in the shape of embeddings, for an embedding module whose output nobody reads."""
        return hidden if self.embedding == hidden.shape[-1] else hidden.new_zeros(*hidden.shape[:2], self.embedding)


def _first_position(model: PreTrainedModel) -> int:
    """The position id that the family gives a sequence's first token: 0 (BERT), or padding id + 1 (RoBERTa).

    Found by trying, since a wrong guess would shift every token without a word. Raises InputError if neither fits.
    """
    words = torch.tensor([[5, 6, 7]], device=model.device)
    with torch.inference_mode():
        expected = model(input_ids=words).last_hidden_state
        for first in (0, (model.config.pad_token_id or 0) + 1):
            ids = torch.arange(first, first + 3, device=model.device)[None]
            if torch.allclose(model(input_ids=words, position_ids=ids).last_hidden_state, expected, atol=1e-5):
                return first
    raise InputError(
        f"backbone family {model.config.model_type!r} counts positions in an unknown way: choose bert, roberta, ..."
    )


def fingerprint(model: nn.Module) -> str:
    """A hash of every weight of the encoder (name, shape, values), whatever file it came from; the pooler apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
