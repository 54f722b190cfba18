"""T5 v1.1 small: flan-t5-small, tuned further to write titles, dequantised from int8. Its language-model head is not
tied to its embeddings."""

from __future__ import annotations

from transformers import T5Config, T5ForConditionalGeneration

from ptuning.backbones.pypi_models.base import LanguageModelRecipe, PackageFiles, under
from ptuning.pypi import Package

FILES = PackageFiles(
    Package("traceforge-title-model==0.2.0", "41e051205c01f724a0d12ad65a52ca4e90661de3fd959e6ce2efab4919024d31"),
    under(
        "traceforge_title_model/data/span",
        {
            "encoder.onnx": "b82bef1400cec815c3e5addd04dc451ec31491ac6598b166bbc6594656823787",
            "decoder.onnx": "76b40328b8a6bd8b8fc029d80006284c6d644d6e0938c18339bc05fb31a927bc",
            "tokenizer.json": "3550c5f922922567115f702e0543b57276366fc321cf1f088859c71491656cf6",
        },
    ),
)
CONFIG = T5Config(  # google/flan-t5-small's, which ONNX files do not state
    vocab_size=32128,
    d_model=512,
    d_kv=64,
    d_ff=1024,
    num_layers=8,
    num_decoder_layers=8,
    num_heads=6,
    relative_attention_num_buckets=32,
    relative_attention_max_distance=128,
    dropout_rate=0.1,
    layer_norm_epsilon=1e-6,
    feed_forward_proj="gated-gelu",
    tie_word_embeddings=False,
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
)
RECIPE = LanguageModelRecipe(
    weights=FILES,
    tokenizer=FILES,
    tokenizer_config={
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "additional_special_tokens": [f"<extra_id_{number}>" for number in range(100)],
        "model_max_length": 512,
    },
    kind=T5ForConditionalGeneration,
    config=CONFIG,
    prefixes={"enc.": "encoder.", "m.": ""},
)
