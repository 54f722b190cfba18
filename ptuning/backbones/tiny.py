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
    AlbertConfig,
    AutoModel,
    BartConfig,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    RobertaConfig,
    T5Config,
)

from ptuning.backbones import dropout
from ptuning.errors import InputError

_SHAPE = {
    "vocab_size": 1544,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 160,
}
_BERT = {"attention_probs_dropout_prob": 0.1, "pad_token_id": 0}
# The switches of the released checkpoints of DeBERTa v1 and v3.
_DEBERTA = _BERT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_GROUPED = _IDS | {"num_key_value_heads": 2}  # two query heads share one key/value head
_SEQ2SEQ = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}

# How a tokenizer puts one segment, or two, between special tokens; `:1` is the token type.
TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "roberta": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B:0 [SEP]:0"),
    "gpt2": ("$A", "$A $B"),
    "llama": ("[CLS] $A", "[CLS] $A $B"),
    "t5": ("$A [SEP]", "$A [SEP] $B [SEP]"),
}


@dataclass(frozen=True)
class Family:
    """A family's config, what of it a tiny one states, and how its tokenizer puts segments together."""

    config: type[PreTrainedConfig]
    settings: dict[str, Any]
    template: str = "bert"
    chooses: bool = True  # whether transformers lets its attention be chosen


FAMILIES = {
    "tiny_bert": Family(BertConfig, _BERT),
    "tiny_roberta": Family(
        RobertaConfig, _BERT | {"max_position_embeddings": 162, "pad_token_id": 1, "type_vocab_size": 1}, "roberta"
    ),
    "tiny_electra": Family(ElectraConfig, _BERT | {"embedding_size": 16}),
    "tiny_albert": Family(AlbertConfig, _BERT | {"embedding_size": 16}),
    "tiny_distilbert": Family(DistilBertConfig, {"pad_token_id": 0}),
    "tiny_modernbert": Family(
        ModernBertConfig, _IDS | {"cls_token_id": 1, "sep_token_id": 2, "local_attention": 8}
    ),
    "tiny_deberta": Family(DebertaConfig, _DEBERTA, chooses=False),
    "tiny_deberta_v2": Family(
        DebertaV2Config,
        _DEBERTA | {"position_buckets": 16, "share_att_key": True, "norm_rel_ebd": "layer_norm"},
        chooses=False,
    ),
    "tiny_mpnet": Family(
        MPNetConfig, _BERT | {"max_position_embeddings": 162, "pad_token_id": 1}, "roberta", chooses=False
    ),
    "tiny_gpt2": Family(GPT2Config, {"n_inner": 64, "bos_token_id": 1, "eos_token_id": 2}, "gpt2"),
    "tiny_opt": Family(OPTConfig, _IDS | {"ffn_dim": 64, "word_embed_proj_dim": 32}, "llama"),
    "tiny_llama": Family(LlamaConfig, _GROUPED, "llama"),
    "tiny_qwen3": Family(Qwen3Config, _GROUPED | {"head_dim": 16}, "gpt2"),
    "tiny_t5": Family(
        T5Config,
        {"d_ff": 64, "d_kv": 8, "num_decoder_layers": 3, "eos_token_id": 2, "decoder_start_token_id": 0},
        "t5",
    ),
    "tiny_bart": Family(
        BartConfig,
        _SEQ2SEQ | {"decoder_layers": 3, "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64},
        "roberta",
    ),
}  # fmt: skip


def build(
    name: str,
    dropout_rate: float = 0.0,
    attention: str = "prompted_sdpa",
    kind: type[Any] = AutoModel,
    **shape: Any,
) -> tuple[Any, Any]:
    """The model, of transformers' auto class `kind`, and the tokenizer of one of FAMILIES; `shape` overrides entries
    of its config.

    Raises InputError for another name.
    """
    config, family = config_of(name, **shape), FAMILIES[name]
    dropout.set_rate(config, dropout_rate)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind.from_config(config)
    if family.chooses:
        model.set_attn_implementation(attention)
    return model, tokenizer(family.template, pad_id=config.pad_token_id or 0)


def config_of(name: str, **shape: Any) -> PreTrainedConfig:
    """The config of one of FAMILIES. Raises InputError as `build` does."""
    if name not in FAMILIES:
        raise InputError(f"backbone.id={name}: the random backbones are {', '.join(FAMILIES)}; choose one.")
    family = FAMILIES[name]
    return family.config(**_SHAPE | family.settings | shape)


def tokenizer(template: str, pad_id: int) -> PreTrainedTokenizerFast:
    """Cuts words into pairs of letters, and puts segments together as one of TEMPLATES says."""
    special = {"[PAD]": pad_id, "[CLS]": 1 - pad_id, "[SEP]": 2, "[UNK]": 3}
    characters = [chr(code) for code in range(33, 127)]
    pieces = characters + ["".join(pair) for pair in product(ascii_lowercase, repeat=2)]
    pieces += [f"##{piece}" for piece in pieces]
    gap = {"bert": "[MASK]", "roberta": "[MASK]", "t5": "<extra_id_0>"}.get(template)  # what stands for one in a text
    pieces = [gap if piece == "##~" and gap else piece for piece in pieces]
    vocabulary = special | {piece: len(special) + i for i, piece in enumerate(pieces)}
    fast = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=200))
    fast.normalizer = normalizers.BertNormalizer()
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    single, pair = TEMPLATES[template]
    fast.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(token, special[token]) for token in ("[CLS]", "[SEP]")]
    )
    named = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if "[CLS]" in single else {"eos_token": "[SEP]"}
    if gap == "[MASK]":
        named["mask_token"] = gap
    return PreTrainedTokenizerFast(
        tokenizer_object=fast,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **named,
    )
