"""Variables of the environment (`${oc.env:…}`), which may be secrets: they are read for what says where and how a run
is carried out, and refused wherever they would come to stand in records, names of files or commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ptuning.errors import InputError

PLACES = ("data.root", "text", "backbone.adaptation.text")  # of files on this machine, which no record holds
_SHORTEST = 4  # characters of a value that is looked for: less is found anywhere


def check_overrides(overrides: Sequence[str]) -> None:
    """Raise InputError for an override that has a variable where none may be."""
    for override in overrides:
        _check(override.lstrip("+~").partition("=")[0], override, override)


def check_files(config: DictConfig) -> None:
    """Raise InputError where a composed config, so a file of conf/, has a variable where none may be."""
    for key, value in _leaves(OmegaConf.to_container(config, resolve=False)):
        _check(key, value, f"{key}={value}")


def check_followed(config: DictConfig, resolved: Mapping[str, Any]) -> None:
    """Raise InputError where the value of a variable, which stands where it may, is followed from elsewhere;
    `resolved` is what `config` comes to."""
    written = [(key, str(value)) for key, value in _leaves(OmegaConf.to_container(config, resolve=False))]
    hidden = {key: str(_at(resolved, key)) for key, value in written if "oc.env" in value}
    for key, value in written if hidden else ():
        found = str(_at(resolved, key))
        for place, secret in hidden.items():
            if "${" in value and not _is_allowed(key) and len(secret) >= _SHORTEST and secret in found:
                raise InputError(
                    f"{key}={value} is refused: it follows {place}, which is of the environment, and would be "
                    "recorded; write the value itself."
                )


def _check(key: str, value: Any, shown: str) -> None:
    if "oc.env" in str(value) and not _is_allowed(key):
        raise InputError(
            f"{shown} is refused: values of the environment would be recorded; write the value itself, or use oc.env "
            "for runtime.*, data.root and text alone."
        )


def _is_allowed(key: str) -> bool:
    elsewhere = key.startswith(("runtime.", "hydra.")) and not key.startswith("hydra.sweeper.")
    return elsewhere or key in PLACES


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, one in node.items():
            yield from _leaves(one, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for one in node:
            yield from _leaves(one, key)
    else:
        yield key, node


def _at(node: Any, key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    for name in key.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
