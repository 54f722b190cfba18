"""Overrides (`key=value`, `key=a,b`) of a sweep: which values each of its jobs gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ptuning.config import DEEPEST, is_text
from ptuning.errors import InputError
from ptuning.launch.composition_errors import first_line

MOST = 50_000  # runs of a sweep
LONGEST = 20_000  # characters of an override
LONGEST_KEY = 200


def union_of_sweeps(
    params: Mapping[str, str], sweeps: Sequence[Mapping[str, str]] | None, overrides: Sequence[str]
) -> list[list[str]]:
    """The overrides of each of an experiment's sweeps: `params`, what that sweep adds, and
    `overrides`, which hold for all.

    Where `overrides` name values that sweeps add, they choose among them: each sweep keeps the ones it has, and one
    without any falls out. Raises InputError where that leaves none.
    """
    added = [{key: choices_of(f"{key}={value}") for key, value in sweep.items()} for sweep in sweeps or [{}]]
    given = {key_of(override): override for override in overrides}
    chosen = {
        key: choices_of(override)
        for key, override in given.items()
        if any(set(sweep.get(key, ())) & set(choices_of(override)) for sweep in added)
    }
    left = [{key: [v for v in vs if v in chosen.get(key, vs)] for key, vs in sweep.items()} for sweep in added]
    found = [
        [f"{key}={value}" for key, value in params.items() if key not in {*given, *sweep}]
        + [f"{key}={','.join(values)}" for key, values in sweep.items() if key in chosen or key not in given]
        + [override for override in overrides if key_of(override) not in chosen.keys() & sweep.keys()]
        for sweep in left
        if all(sweep.values())
    ]
    if not found:
        raise InputError(f"{' '.join(given[key] for key in chosen)} belong to different sweeps: ask for them apart.")
    return found


def expand(override: str) -> list[str]:
    """The overrides of single values that a swept one stands for. Raises InputError where it cannot be swept."""
    parsed = parse(override)
    if not parsed.is_sweep_override():
        return [override]
    try:
        values = list(islice(parsed.sweep_string_iterator(), MOST + 1))
    except (HydraException, ValueError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{override!r} cannot be swept ({first_line(error)}): list values with commas.") from None
    if len(values) > MOST:
        raise too_many(override)
    return [f"{parsed.get_key_element()}={value}" for value in values]


def too_many(what: str) -> InputError:
    """That a sweep is too large."""
    return InputError(f"{what} asks for more than {MOST} runs, which is the limit of a sweep: ask for them in parts.")


def choices_of(override: str) -> list[str]:
    """The values that an override goes through."""
    return [single.partition("=")[2] for single in expand(override)]


def is_sweep(override: str) -> bool:
    """Whether an override has several values. Raises InputError where it is none."""
    return bool(parse(override).is_sweep_override())


def key_of(override: str) -> str:
    """What it sets; a group's with the package, so that `task` and `task@sources.a.task` are two."""
    parsed = parse(override)
    return f"{parsed.key_or_group}@{parsed.package}" if parsed.package else str(parsed.key_or_group)


@lru_cache(10_000)  # jobs of a sweep have most of theirs in common
def parse(override: str) -> Any:
    """Hydra's object for it. Raises InputError where it is no override."""
    if not is_text(override):
        raise InputError(f"{override!a} is not an override (it has half a character): write key=value.")
    if len(override) > LONGEST:
        raise InputError(f"{override[:40]}... has {len(override)} characters, and {LONGEST} are allowed: shorten it.")
    if (deepest := _depth(override)) > DEEPEST:
        raise InputError(f"{override[:40]}... is nested {deepest} deep, and {DEEPEST} levels are allowed.")
    key = override.lstrip("+~").partition("=")[0]
    if len(key) > LONGEST_KEY:
        raise InputError(f"{override[:40]}... has a key of {len(key)} characters, and none is so long: correct it.")
    if not all(map(str.isprintable, key)):
        raise InputError(
            f"{override[:200]!r} is not an override (its key has what cannot be printed): write key=value."
        )
    if not key:
        raise InputError(f"{override!r} is not an override (it has no key): write key=value.")
    try:
        return OverridesParser.create().parse_override(override)
    except (HydraException, ValueError, RecursionError) as error:  # ValueError: an integer of thousands of digits
        raise InputError(
            f"{override[:200]!r} is not an override ({_printable(first_line(error))}): write key=value."
        ) from None


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _depth(override: str) -> int:
    """How deep its brackets are nested at most, those in texts included."""
    depths = accumulate((character in "[{(") - (character in "]})") for character in override)
    return max(depths, default=0)
