"""Tiny random backbones for tests and smoke runs: real transformers families, random weights, a tokenizer that
needs no file. Their scores mean nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from string import ascii_lowercase
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
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
_RELATIVE = {
    "max_position_embeddings": 160,
    "pad_token_id": 0,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
}


@dataclass(frozen=True)
class Family:
    """A family's config, and what of it a tiny one states."""

    config: type[PreTrainedConfig]
    settings: dict[str, Any]
    separators: int = 1  # between two segments
    chooses: bool = True  # whether transformers lets its attention be chosen


FAMILIES = {
    "tiny_bert": Family(BertConfig, {"max_position_embeddings": 160, "pad_token_id": 0}),
    "tiny_roberta": Family(
        RobertaConfig, {"max_position_embeddings": 162, "pad_token_id": 1, "type_vocab_size": 1}, separators=2
    ),
    # The switches of the released checkpoints of DeBERTa v1 and v3.
    "tiny_deberta": Family(DebertaConfig, _RELATIVE, chooses=False),
    "tiny_deberta_v2": Family(
        DebertaV2Config,
        _RELATIVE | {"position_buckets": 16, "share_att_key": True, "norm_rel_ebd": "layer_norm"},
        chooses=False,
    ),
    "tiny_mpnet": Family(
        MPNetConfig, {"max_position_embeddings": 162, "pad_token_id": 1}, separators=2, chooses=False
    ),
}  # fmt: skip


def build(name: str, dropout: float = 0.0, attention: str = "prompted_sdpa", **shape: Any) -> tuple[Any, Any]:
    """The model and tokenizer of one of FAMILIES; `shape` overrides entries of its config.

    Raises InputError for another name.
    """
    if name not in FAMILIES:
        raise InputError(f"backbone.id={name}: the random backbones are {', '.join(FAMILIES)}; choose one.")
    family = FAMILIES[name]
    config = family.config(**family.settings | _SHAPE | {"hidden_dropout_prob": dropout} | shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
    if family.chooses:
        model.set_attn_implementation(attention)
    return model, tokenizer(family.separators, pad_id=config.pad_token_id)


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
