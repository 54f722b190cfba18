"""Decoders: a token attends to those before it alone (GPT-2, Llama, OPT, Qwen, ...). Heads read the hidden states, and
classification and choice the last token's, which has seen the whole text."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM

from ptuning.backbones.encoder import Encoder
from ptuning.prompts.placement import Batch


class Decoder(Encoder):
    architecture: ClassVar[str] = "decoder"
    stack: ClassVar[str] = "decoder"
    language_model: ClassVar[type] = AutoModelForCausalLM
    is_causal: ClassVar[bool] = True

    def hidden(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        return self.body(**self.inputs(embeds, token_type_ids, batch), use_cache=False).last_hidden_state

    def inputs(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Without token types: GPT-2 would add the embeddings of the words that have their numbers."""
        given = super().inputs(embeds, token_type_ids, batch)
        return {name: value for name, value in given.items() if name != "token_type_ids"}

    def whole_text_reads(
        self, tokens: np.ndarray, starts: np.ndarray, tokenizer: Any
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The last token, which has seen all."""
        return np.diff(starts)[:, None] - 1, None

    def generation_inputs(
        self, embeds: Tensor, embedded: bool, batch: Batch, first_query: Tensor | None
    ) -> tuple[dict[str, Any], Tensor | None]:
        """The text with its padding on the left, and one column of padding more: without any, `generate` would drop
        the mask and take position ids that make a leap (an infix prompt's) for two texts in one row. Embeddings are
        given only where they are not the tokens' own, since with them the cache cannot be left off."""
        order = batch.attention_mask.argsort(dim=1, stable=True)
        if first_query is not None:
            first_query = order.argsort(dim=1).gather(1, first_query) + 1

        def moved(field: Tensor, padding: int) -> Tensor:
            return functional.pad(field.gather(1, order), (1, 0), value=padding)

        inputs = {"attention_mask": moved(batch.attention_mask, 0)}
        if self.takes_positions:
            inputs["position_ids"] = moved(batch.position_ids, 0)
        if embedded:
            placed = embeds.gather(1, order[..., None].expand_as(embeds))
            return inputs | {"inputs_embeds": functional.pad(placed, (0, 0, 1, 0))}, first_query
        return inputs | {"input_ids": moved(batch.input_ids, 0)}, first_query

    def given_tokens(self, inputs: dict[str, Any]) -> int:
        return inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
