"""Tiny random backbones for tests and smoke runs: real transformers families, random weights, a tokenizer that
needs no file. Their scores mean nothing."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from ptuning.errors import InputError

_SHAPE = {
    "vocab_size": 1544,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "attention_probs_dropout_prob": 0.1,
}


def build(name: str, dropout: float = 0.0, attention: str = "prompted_sdpa", **shape: Any) -> tuple[Any, Any]:
    """The model and tokenizer of `tiny_bert` or `tiny_roberta`; `shape` overrides entries of its config."""
    settings = _SHAPE | {"hidden_dropout_prob": dropout} | shape
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel
        if name == "tiny_bert":
            model = BertModel(BertConfig(**{"max_position_embeddings": 160, "pad_token_id": 0} | settings))
        elif name == "tiny_roberta":
            table = {"max_position_embeddings": 162, "pad_token_id": 1, "type_vocab_size": 1}
            model = RobertaModel(RobertaConfig(**table | settings))
        else:
            raise InputError(f"backbone.id={name}: the random backbones are tiny_bert and tiny_roberta; choose one.")
    model.set_attn_implementation(attention)
    return model, tokenizer(separators=2 if name == "tiny_roberta" else 1, pad_id=model.config.pad_token_id)


def tokenizer(separators: int, pad_id: int) -> PreTrainedTokenizerFast:
    """Cuts words into pairs of letters; `separators` stand between two segments (RoBERTa has two)."""
    special = {"[PAD]": pad_id, "[CLS]": 1 - pad_id, "[SEP]": 2, "[UNK]": 3}
    characters = [chr(code) for code in range(33, 127)]
    pieces = characters + ["".join(pair) for pair in product(ascii_lowercase, repeat=2)]
    pieces += [f"##{piece}" for piece in pieces]
    vocabulary = special | {piece: len(special) + i for i, piece in enumerate(pieces)}
    fast = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=200))
    fast.normalizer = normalizers.BertNormalizer()
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    between = " ".join(["[SEP]"] * separators)
    second = 0 if separators == 2 else 1
    fast.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=f"[CLS] $A {between} $B:{second} [SEP]:{second}",
        special_tokens=[(token, special[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
