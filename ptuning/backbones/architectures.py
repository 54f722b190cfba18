"""Which architecture a model is of."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from ptuning.backbones.decoder import Decoder
from ptuning.backbones.encoder import Encoder
from ptuning.backbones.encoder_decoder import EncoderDecoder
from ptuning.errors import InputError


def network(model: PreTrainedModel) -> Encoder:
    """How to run `model`. Whether it is a decoder is tried, since configs and classes do not always tell: in a decoder
    a later token changes nothing at an earlier one.

    Raises InputError for a model that reads no text.
    """
    try:
        with torch.inference_mode():
            if model.config.is_encoder_decoder:
                found: Encoder = EncoderDecoder(model)
                found.run_all_stacks()
                return found
            first = [
                model(input_ids=torch.tensor([ids], device=model.device)).last_hidden_state[0, 0]
                for ids in ([5, 6], [5, 7])
            ]
    except Exception as error:  # whatever a model raises that does not read token ids
        raise InputError(
            f"backbone family {model.config.model_type!r} is no text encoder, decoder or encoder-decoder ({error}): "
            "choose bert, roberta, gpt2, llama, t5, bart, ..."
        ) from error
    return (Decoder if torch.equal(*first) else Encoder)(model)
