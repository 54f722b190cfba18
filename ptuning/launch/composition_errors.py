"""What Hydra and OmegaConf refuse, in one sentence that names the key, what is allowed and the fix."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, cast

from hydra import compose
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from ptuning import registry

_OPEN = ("train.lrs", "sources")  # mappings that begin empty, with keys of any name


def composition_error(error: Exception, conf: Path) -> str:
    """Why overrides do not compose with the files in `conf`. Hydra must be initialized with them: a key is looked for
    among those of the plain config."""
    text = str(error)
    if found := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        options = re.findall(r"^\t(\S+)$", text, re.MULTILINE) or _nested(conf / found[1])
        return f"{found[1]}={found[2]} is unknown: choose one of {', '.join(options)}."
    if found := re.search(r"Could not override '([^']+)'", text):
        return unknown_key(found[1], conf)
    return " ".join(text.split()).rstrip(".") + "."


def resolution_error(error: OmegaConfBaseException) -> str:
    """Why a composed config has a key without a value."""
    if isinstance(error, InterpolationKeyError):
        wanted = (re.findall(r"'([^']+)'", str(error)) or ["another key"])[0]
        return f"{error.full_key} follows {wanted}, which is not set: set one of the two."
    return f"{error.full_key} is not set: give it a value ({first_line(error)})."


def first_line(error: Exception) -> str:
    """What an error says first, without its full stop."""
    return str(error).strip().splitlines()[0].rstrip(".")


def names(group: Path) -> list[str]:
    """The files of a group by their names, without those in folders."""
    return sorted(files(group))


def files(group: Path) -> dict[str, Path]:
    """The files of a group of conf/, and of the same group of plugins, by their names; without those in folders."""
    own = [folder / "conf" / group.name for folder in registry.plugin_folders()]
    return {file.stem: file for folder in (*own, group) for file in folder.glob("*.yaml")}


def _nested(group: Path) -> list[str]:
    """The files of a group whose files are all in folders, such as `p_tuning_v2/table2` of experiment."""
    return sorted(str(file.relative_to(group).with_suffix("")) for file in group.rglob("*.yaml"))


def unknown_key(key: str, conf: Path) -> str:
    """That a run has no such key, and what might be meant. Hydra must be initialized."""
    plain = OmegaConf.to_container(compose("config"), resolve=False)
    known = all_keys(cast("dict[str, Any]", plain))
    if mapping := next((one for one in _OPEN if key == one or key.startswith(f"{one}.")), None):
        added = f"{mapping}.<name>" if key == mapping else key
        return f"{mapping} has keys of any name, and none to begin with: add them one by one, as +{added}=..."
    if chosen := _files_with(key, conf):
        group = key.split(".")[1]
        *several, last = (f"{group}={name}" for name in chosen)
        listed = f"{', '.join(several)} and {last}" if several else last
        return f"{key} is a key of {listed} alone: choose {'one of them' if several else 'that'} too."
    if key in known or key.startswith("task.options."):
        return (
            f"{key} is not a config key of this method and task: remove it, or, where other runs of a sweep have it, "
            f"write ++{key}=... or launch those apart."
        )
    near = sorted(name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0])
    close = difflib.get_close_matches(key, known, 1)
    hint = (
        f"did you mean {close[0]}?" if close else f"known here are {', '.join(near or sorted(map(str, plain or ())))}."
    )
    return f"{key} is not a config key (for this method): {hint}"


def _loaded(file: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(file), resolve=False))


def _files_with(key: str, conf: Path) -> list[str]:
    """The files of conf/init, say, that have the key `prompt.init.<name>`."""
    match key.split("."):
        case ["prompt", group, name]:
            return sorted(file.stem for file in (conf / group).glob("*.yaml") if name in _loaded(file))
    return []


def all_keys(node: dict[str, Any], prefix: str = "") -> list[str]:
    """Of the mappings in it, dotted."""
    names = []
    for key, value in node.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, dict):
            names += all_keys(value, f"{prefix}{key}.")
    return names
