"""A folder to give to others, with all that a trained prompt needs to answer: its weights, what its backbone is and
where that is had from, its labels, a card; and the backbone itself, where it is asked for.

`config.json` has the checksum of each file and one of itself, so that what is damaged, or changed, is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ptuning
from ptuning.backbones import load
from ptuning.backbones.content import Content
from ptuning.config import BackboneConfig, parse
from ptuning.errors import InputError
from ptuning.files import sha256, write_atomic
from ptuning.records import weights
from ptuning.sharing import card, origin
from ptuning.sharing.origin import Origin

CONFIG, CARD, BACKBONE = "config.json", "README.md", "backbone"
FORMAT = 1
_COPIED = ("*.json", "*.safetensors", "*.model", "*.txt", "LICENSE*", "NOTICE*")  # of a backbone's folder
_MEND = "ask for a whole copy"


@dataclass(frozen=True)
class About:
    """What others are told of a trained prompt: the `id` of its run; where the backbone is had from; its task and
    labels; the score that the run's record has, by `metric`, `value` (in percent, or as the metric has it), `rule` and
    `epoch`, None where there is no record."""

    id: str
    origin: Origin
    task: str
    head: str
    labels: list[str]
    score: dict[str, Any] | None


def write(
    folder: Path, file: Path, about: About, backbone: BackboneConfig, content: Content, include_backbone: bool
) -> Path:
    """Write the weights in `file` with what others need beside them; `backbone` is where it is here, of that
    `content`.

    Raises InputError where the folder is there and not empty, and for a backbone that is to be included and is no
    folder of files.
    """
    make(folder)
    placed = _anonymous(backbone)
    if include_backbone:
        _copy_backbone(backbone, folder / BACKBONE)
        placed = _included(backbone)
        content = _content(_at(folder / BACKBONE, backbone), content)
    weights.copy(file, folder / file.name, placed, content)
    said = {
        "library": "ptuning",
        "format": FORMAT,
        "version": ptuning.__version__,
        **asdict(about),
        "config": dict(weights.read_header(folder / file.name).config),
        "backbone": content,
        "weights": file.name,
        "files": {str(one.relative_to(folder)): sha256(one) for one in sorted(folder.rglob("*")) if one.is_file()},
    }
    write_atomic(folder / CONFIG, json.dumps(said | {"sha256": _hash(said)}, indent=1) + "\n")
    write_atomic(folder / CARD, card.of(said, include_backbone))
    return folder


def make(folder: Path) -> None:
    """Raises InputError where the folder is there and not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already: give a folder that is new or empty.")
    folder.mkdir(parents=True, exist_ok=True)


_KEYS = {*About.__dataclass_fields__, "format", "version", "config", "backbone", "weights", "files"}


@dataclass(frozen=True)
class Folder:
    """What `write` has written: the file of the weights, what is said of it, and the backbone there, if any."""

    weights: Path
    about: About
    backbone: BackboneConfig | None


def read(folder: Path) -> Folder:
    """Raises InputError for a folder that `write` has not written, or of which something is no longer as it was."""
    said = _said(folder / CONFIG)
    _check_listed(folder, said)
    for name, digest in said["files"].items():
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not whole ({name} is missing): {_MEND}.")
        if sha256(folder / name) != digest:
            raise InputError(f"{folder} is not as it was written ({name} has another checksum): {_MEND}.")
    about = About(**{key: said[key] for key in About.__dataclass_fields__})
    own = parse(BackboneConfig, said["config"].get("backbone", {}))
    included = _at(folder / BACKBONE, own) if (folder / BACKBONE).is_dir() else None
    return Folder(folder / said["weights"], about, included)


def _check_listed(folder: Path, said: Mapping[str, Any]) -> None:
    """Raises InputError where files of another place are named, or others are there that a backbone could be read
    from."""
    listed = {*said["files"], said["weights"]}
    for name in sorted(map(str, listed)):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{folder} names a file outside of it ({name[:100]}): {_MEND}.")
    there = {str(one.relative_to(folder)) for one in (folder / BACKBONE).rglob("*") if one.is_file()}
    if unlisted := sorted(there - listed):
        raise InputError(f"{folder} is not as it was written ({unlisted[0]} came later): {_MEND}.")


def _said(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(f"{file.parent} holds no trained prompt ({CONFIG} is missing): give a folder of one.")
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = said.pop("sha256") if said["library"] == "ptuning" and said.keys() >= _KEYS else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = None
    if known is None:
        raise InputError(f"{file} is none that this library has written: give a folder of a trained prompt.")
    if known != _hash(said):
        raise InputError(f"{file.parent} is not as it was written ({CONFIG} has another checksum): {_MEND}.")
    if said["format"] > FORMAT:
        raise InputError(f"{file.parent} was written by a newer ptuning ({said['version']}): install that one.")
    return said


def _hash(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _anonymous(backbone: BackboneConfig) -> BackboneConfig:
    """Without the path of a folder, or of a text, which is of a machine."""
    return _included(backbone) if origin.is_local(backbone) else backbone.without_text


def _included(backbone: BackboneConfig) -> BackboneConfig:
    return _at(Path(BACKBONE), backbone).model_copy(update={"id": f"./{BACKBONE}"})


def _at(folder: Path, backbone: BackboneConfig) -> BackboneConfig:
    """The backbone of that name in a folder."""
    return BackboneConfig(name=backbone.name, source="hub", id=str(folder.absolute()), pooler=backbone.pooler)


def at(place: str, name: str) -> BackboneConfig:
    """The backbone `name` in a folder, or under an id of the hub."""
    path = Path(place).expanduser()
    return BackboneConfig(name=name, source="hub", id=str(path.absolute()) if path.is_dir() else place, pooler="none")


def _copy_backbone(backbone: BackboneConfig, to: Path) -> None:
    """Raises InputError where there is nothing to be copied."""
    found = load.local_folder(backbone)
    if found is None:
        raise InputError(
            f"include_backbone=True: the backbone {backbone.name} is no folder of files, but made in memory wherever "
            "it is asked for: leave it out."
        )
    to.mkdir()
    for pattern in _COPIED:
        for file in sorted(found.glob(pattern)):
            shutil.copyfile(file, to / file.name)


def _content(included: BackboneConfig, content: Content) -> Content:
    """What the copy is, as far as `content` says it: of an adapted backbone that says what it was made of instead."""
    here = load.content_here(included) or {}
    if "lm_head" in content:
        here = here | {"lm_head": load.lm_head_here(included)}
    return {key: here[key] for key in content if key in here}
