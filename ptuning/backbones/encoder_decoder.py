"""Encoder-decoders (T5, BART, ...): heads that read a text's tokens read its encoder, and the decoder is not run;
those that read one token for the whole text, or have the model speak, read the decoder."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from ptuning.backbones.attention import Watched
from ptuning.backbones.encoder import Encoder
from ptuning.data.encoded import IGNORED
from ptuning.prompts.placement import Batch

STACKS = {(3, 3): "encoder", (2, 2): "decoder", (2, 3): "cross"}  # by queries and keys, as `run_all_stacks` has them


class EncoderDecoder(Encoder):
    architecture: ClassVar[str] = "encoder_decoder"
    language_model: ClassVar[type] = AutoModelForSeq2SeqLM

    @staticmethod
    def body_of(model: PreTrainedModel) -> PreTrainedModel:
        """Its encoder."""
        return model.get_encoder()

    def run_all_stacks(self) -> None:
        ids = torch.ones(1, 3, dtype=torch.long, device=self.device)
        self.model(input_ids=ids, decoder_input_ids=ids[:, :2], use_cache=False)

    def stack_of(self, watched: Watched) -> str:
        return STACKS[watched.queries, watched.keys]

    def whole_text_reads(
        self, tokens: np.ndarray, starts: np.ndarray, tokenizer: Any
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The decoder is given the text again, a token later: what it has when it has read all but the last one."""
        lengths, start = np.diff(starts), self.model.config.decoder_start_token_id
        column = np.arange(lengths.max())[None]
        before = tokens[(starts[:-1, None] + column - 1).clip(0, len(tokens) - 1)]
        given = np.where(column == 0, start, np.where(column < lengths[:, None], before, IGNORED))
        return lengths[:, None] - 1, given

    def head_inputs(self, hidden: Tensor) -> dict[str, Any]:
        return {
            "decoder_inputs_embeds": hidden,
            "encoder_outputs": BaseModelOutput(last_hidden_state=hidden[:, :1]),
        }

    def generation_inputs(
        self, embeds: Tensor, embedded: bool, batch: Batch, first_query: Tensor | None
    ) -> tuple[dict[str, Any], Tensor | None]:
        """The encoder's hidden states, so that `generate` runs the decoder alone."""
        hidden = self.hidden(embeds, batch.token_type_ids, batch)
        outputs = BaseModelOutput(last_hidden_state=hidden)
        return {"encoder_outputs": outputs, "attention_mask": batch.attention_mask}, None

    def given_tokens(self, inputs: dict[str, Any]) -> int:
        """The decoder's start."""
        return 1

    def decoded(self, ids: Tensor, mask: Tensor, hidden: Tensor, hidden_mask: Tensor) -> Tensor:
        """The decoder's hidden states `[B, U, H]` of its tokens `ids` `[B, U]`, which attend to the encoder's `hidden`
        `[B, T, H]`; `mask` `[B, U]` and `hidden_mask` `[B, T]` are 0 at padding."""
        return self.model.get_decoder()(
            input_ids=ids,
            attention_mask=mask,
            encoder_hidden_states=hidden,
            encoder_attention_mask=hidden_mask,
            use_cache=False,
        ).last_hidden_state
