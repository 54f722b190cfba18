"""Encoders: every token attends to every other (BERT, RoBERTa, DeBERTa, ...). Heads read its hidden states."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM, PreTrainedModel

from ptuning.backbones.attention import Watched
from ptuning.errors import InputError
from ptuning.prompts.placement import Batch


class Encoder:
    """How a model of this architecture is run: `body` is the part of `model` whose hidden states heads read, its
    layers those of `stack`."""

    architecture: ClassVar[str] = "encoder"
    stack: ClassVar[str] = "encoder"
    language_model: ClassVar[type] = AutoModelForMaskedLM
    is_causal: ClassVar[bool] = False  # whether a token attends to those before it alone, where heads read

    def __init__(self, model: PreTrainedModel) -> None:
        self.model, self.body = model, self.body_of(model)
        self.accepted = set(inspect.signature(self.body.forward).parameters)

    @staticmethod
    def body_of(model: PreTrainedModel) -> PreTrainedModel:
        """The part of a model that layers and embeddings are of: all of it."""
        return model

    @property
    def takes_positions(self) -> bool:
        """Whether position ids can be stated; else a token's place is its index."""
        return "position_ids" in self.accepted

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def run_all_stacks(self) -> None:
        """One pass in which each attention module works once: what `sites` watches."""
        self.model(input_ids=torch.ones(1, 2, dtype=torch.long, device=self.device))

    def stack_of(self, watched: Watched) -> str:
        """Of an attention module seen in `run_all_stacks`."""
        return self.stack

    def hidden(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """Hidden states `[B, T, H]` of embeddings `[B, T, E]`."""
        return self.body(**self.inputs(embeds, token_type_ids, batch)).last_hidden_state

    def whole_text_reads(
        self, tokens: np.ndarray, starts: np.ndarray, tokenizer: Any
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """What `Backbone.whole_text_reads` says: the first token, [CLS]; the last where the tokenizer has none."""
        lengths = np.diff(starts)[:, None]
        return (lengths - 1 if tokenizer.cls_token_id is None else np.zeros_like(lengths)), None

    def head_inputs(self, hidden: Tensor) -> dict[str, Any]:
        """Of the whole language model, to get the logits of hidden states `[B, T, H]` that are given to its head."""
        return {"inputs_embeds": hidden}

    def generation_inputs(
        self, embeds: Tensor, embedded: bool, batch: Batch, first_query: Tensor | None
    ) -> tuple[dict[str, Any], Tensor | None]:
        """What transformers' `generate` is given, and `first_query` (`Backbone.attending`) of it. Raises InputError
        where the family generates nothing."""
        raise InputError(
            f"backbone family {self.model.config.model_type!r} is an encoder, which generates nothing: choose a "
            "decoder (gpt2, llama, ...) or an encoder-decoder (t5, bart, ...)."
        )

    def decoded(self, ids: Tensor, mask: Tensor, hidden: Tensor, hidden_mask: Tensor) -> Tensor:
        """An encoder-decoder's second stack on its first: `[B, U, H]` of the decoder's tokens `[B, U]` and the hidden
        states `[B, T, H]` that it attends to. Raises InputError for others, which have one stack."""
        raise InputError(
            f"backbone family {self.model.config.model_type!r} is no encoder-decoder: choose one (t5, bart, ...)."
        )

    def given_tokens(self, inputs: dict[str, Any]) -> int:
        """How many of the tokens that `generate` returns were not generated."""
        return 0

    def inputs(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the model is called with, of embeddings `[B, T, E]` and token types `[B, T]`: those that it takes."""
        given = {"inputs_embeds": embeds, "attention_mask": batch.attention_mask}
        offered = {"position_ids": batch.position_ids, "token_type_ids": token_type_ids}
        return given | {name: value for name, value in offered.items() if name in self.accepted}
