"""What tells runs apart: their configs as dotted keys, and those of the keys that say which run is which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FIRST = ("task", "backbone", "method", "head", "prompt.init", "prompt.reparameterization")
NAMED = ("task", "backbone", "method")  # what the names of runs' files say
REPEATED = ("seed", "data.sample_seed")  # what runs of one setting differ in

Settings = dict[str, Any]


def settings(config: Mapping[str, Any]) -> Settings:
    """A config, as records hold it, by dotted keys: `train.lr`. A node that has a name is called by it: `task`."""
    return dict(_flat(config))


def _flat(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above[:-1] if key == "name" else above + key, value


def said(value: Any) -> str:
    """A setting in words; `--` where a run has none."""
    if value is None:
        return "--"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(said, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def told_apart(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each of the configs has in those keys that tell it from the others, beside what a run's name says: as
    `prompt.length=8 train.lr=0.01`, empty where that is nothing."""
    runs = [settings(config) for config in configs]
    keys = [key for key in differing(runs) if key not in NAMED]
    return [" ".join(f"{key}={said(one[key])}" for key in keys if one.get(key) is not None) for one in runs]


def differing(runs: Sequence[Settings]) -> list[str]:
    """The fewest keys, seeds apart, that tell the runs apart: of those that change together the first, a task, a
    backbone or a method before others."""
    keys = dict.fromkeys([*FIRST, *(key for one in runs for key in one)])
    chosen: list[str] = []
    told: list[tuple[str, ...]] = [() for _ in runs]
    for key in keys:
        if key in REPEATED:
            continue
        further = [(*so_far, json.dumps(one.get(key))) for so_far, one in zip(told, runs, strict=True)]
        if len(set(further)) > len(set(told)):
            chosen.append(key)
            told = further
    return chosen
