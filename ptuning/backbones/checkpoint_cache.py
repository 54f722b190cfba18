"""Folders of checkpoints that are made on this machine, once, for transformers to read.

A folder's manifest holds the hash of each of its files. It is written last and checked on every call, so that a
half-written or damaged folder is made again instead of read.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from transformers import PreTrainedModel

from ptuning.files import sha256, write_atomic
from ptuning.pypi import cache_root, using_cache

log = logging.getLogger(__name__)
WRITTEN = {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"}  # in every folder

Make = Callable[[Path, Path], Mapping[str, Any]]  # into a new folder, with a scratch one: what its manifest says


def home(name: str) -> Path:
    """Where the folder `name` is kept. Raises InputError as `cache_root` does."""
    return cache_root() / "backbones" / name


def made(name: str, make: Make) -> Path:
    """The folder `name`, whole: made if need be.

    Raises InputError as `make` does, and where there is no room for it.
    """
    folder = home(name)
    with using_cache():
        if _fault(folder):  # asked before locking, so that a complete cache may be read-only
            _make_once(folder, make)
    return folder


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write the model for `from_pretrained`; what shares no weights stays so, also T5's language-model head, whose
    config says that it shares them, whatever it is told."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None:
        model.config.tie_word_embeddings = head.weight.data_ptr() == embedding.weight.data_ptr()
    model.save_pretrained(folder)


def _make_once(folder: Path, make: Make) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if fault := _fault(folder):  # asked again: another process may just have made it
            if folder.exists():
                log.warning("%s: the cached %s is damaged, making it again", folder.name, fault)
            _make(folder, make)


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


def _make(folder: Path, make: Make) -> None:
    """Make a new folder beside the final one, then put it in its place."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / "backbone"
        fresh.mkdir()
        said = make(fresh, Path(scratch))
        _write_manifest(said, fresh)
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(fresh, folder)


def _write_manifest(said: Mapping[str, Any], folder: Path) -> None:
    manifest = {**said, "files": {path.name: sha256(path) for path in sorted(folder.iterdir())}}
    write_atomic(folder / "manifest.json", json.dumps(manifest, indent=2) + "\n")
