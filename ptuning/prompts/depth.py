"""Prompt depth: which layers get deep prompts, written as in the paper, 1-based and inclusive."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ptuning.errors import InputError

_RANGE = re.compile(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*")


def canonical(depth: str | int | Sequence[int]) -> str | int | list[int]:
    """The one way in which a depth is written, whatever the backbone: `all`, `17-24` (two layers or more, one after
    another), `5`, `[1, 24]`. Raises ValueError for what is none."""
    if depth == "all":
        return "all"
    if isinstance(depth, str):
        match = _RANGE.fullmatch(depth)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    else:
        found = [depth] if isinstance(depth, int) else sorted(set(depth))
        first, last = (found[0], found[-1]) if found else (0, 0)
        if last - first >= len(found) and first > 0:
            return found
    if not 0 < first <= last:
        raise ValueError("write all, one layer (5), a range (17-24), or a list of layers ([1,24]), counted from 1")
    return first if first == last else f"{first}-{last}"


def layers(depth: str | int | Sequence[int], total: int) -> tuple[int, ...]:
    """The layers that `depth` names on a backbone of `total` layers: `all`, `17-24`, `5`, `[1, 24]`.

    Raises InputError for a layer that the backbone does not have, and for anything that is not a depth.
    """
    if depth == "all":
        return tuple(range(1, total + 1))
    if isinstance(depth, str) and (match := _RANGE.fullmatch(depth)):
        first, last = int(match[1]), int(match[2] or match[1])
        chosen = list(range(first, last + 1)) if last <= total else []
    elif isinstance(depth, int):
        chosen = [depth]
    elif isinstance(depth, Sequence) and not isinstance(depth, str) and all(isinstance(one, int) for one in depth):
        chosen = sorted(set(depth))
    else:
        chosen = []
    if not chosen or chosen[0] < 1 or chosen[-1] > total:
        shown = list(depth) if isinstance(depth, Sequence) and not isinstance(depth, str) else depth
        raise InputError(
            f"prompt.layers={shown} is refused: the backbone has layers 1-{total}; write all, one layer, "
            f"a range such as {max(1, total - total // 3 + 1)}-{total}, or a list such as [1,{total}]."
        )
    return tuple(chosen)
