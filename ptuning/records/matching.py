"""Whether a record stands for a run: an id says what was asked for, this compares what it was made from.

A record stands only for a backbone of the same content (weights, tokenizer, the config that changes the function),
whatever its name and path, and for the same local data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ptuning.backbones import load
from ptuning.backbones.content import Content
from ptuning.config import Recorded
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.records.identity import run_name
from ptuning.records.record import Record

COMPARED = {
    "fingerprint": "weights",
    "tokenizer": "tokenizers",
    "config": "configs",
    "pooler": "poolers",
    "lm_head": "language-model heads",
}


def check_backbone(config: Recorded, record: Record) -> None:
    """Raise InputError where the record was made from another backbone than the one of that name on this machine.

    What the record does not tell is not compared; nothing is where the backbone is not here (`not_here`).
    """
    here = load.content_here(config.backbone)
    there = record.get("backbone", {})
    if here is not None and there.get("lm_head") is not None:  # of a run whose head is the language model's
        here = here | {"lm_head": load.lm_head_here(config.backbone)}
    differing = None if here is None else difference(there, here)
    if differing is not None:
        raise InputError(
            f"record {run_name(config)} was made from another backbone than the one that is called "
            f"backbone.name={config.backbone.name} here (backbone.id={config.backbone.id}), {differing}; give the one "
            "here another backbone.name, or load the other."
        )


def difference(there: Mapping[str, Any], here: Content) -> str | None:
    """In what the content of a stored backbone, as far as it is known, differs from the one here; None: in nothing."""
    for key, what in COMPARED.items():
        if key in there and key in here and there[key] != here[key]:
            return f"{what} differ: {_values(there[key], here[key])}"
    return None


def _values(there: Any, here: Any) -> str:
    """Both values; of two configs, the keys that differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [key for key in sorted({*there, *here}) if there.get(key) != here.get(key)]
        return ", ".join(f"{key} {there.get(key)} there and {here.get(key)} here" for key in keys)
    return f"{there} there and {here} here"


def not_here(configs: Iterable[Recorded]) -> list[str]:
    """A sentence for each backbone that is not on this machine, so that no record can be compared with it."""
    backbones = {config.backbone.name: config.backbone for config in configs}
    return [
        f"backbone {name} is not on this machine: its records are taken by their ids, unchecked"
        for name, backbone in sorted(backbones.items())
        if load.content_here(backbone) is None
    ]


def check_data(config: Recorded, record: Record) -> None:
    """Raise InputError where the record was made from other local data."""
    if config.data.source == "local" and (record.get("data") or {}).get("fingerprint") != splits.fingerprint_of(
        config
    ):
        raise InputError(
            f"record {run_name(config)} was made from other data than data.root={config.data.root}: move it, or the "
            "data."
        )
