"""What of a step's batches goes through the backbone at once.

Who meets whom in a step decides what is learned; how the step is cut into passes decides only how long it takes, and
how much padding there is. Gradients add up over the passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget


class Part(NamedTuple):
    """Those items of a step's batch of this number that stand from `begin` to `end` in it."""

    batch: int
    begin: int
    end: int


Pass = list[Part]


def plan(batches: Sequence[AdapterBatch], budget: Budget) -> list[Pass]:
    """The passes of a step over `batches`, so that overheads and padded tokens add up to the least: items of about
    the same length share one, whichever batch they are of. A batch that is not divisible stays whole.

    Only batches that enter the backbone at the same layer share a pass.
    """
    by_layer: dict[int, list[int]] = {}
    for index, batch in enumerate(batches):
        by_layer.setdefault(batch.adapter.entry_layer, []).append(index)
    return [one for indices in by_layer.values() for one in _plan(batches, indices, budget)]


def _plan(batches: Sequence[AdapterBatch], indices: Sequence[int], budget: Budget) -> list[Pass]:
    parts = [Part(index, *ends) for index in indices for ends in _indivisible(batches[index])]
    widths = np.concatenate([_widths(batches[index]) for index in indices])
    sequences = np.array([(part.end - part.begin) * batches[part.batch].examples.choices for part in parts])
    order = np.argsort(widths, kind="stable")
    return [
        _joined([parts[at] for at in order[begin:end]]) for begin, end in budget.cuts(widths[order], sequences[order])
    ]


def _indivisible(batch: AdapterBatch) -> list[tuple[int, int]]:
    """The beginnings and ends of what is not cut."""
    return [(at, at + 1) for at in range(len(batch.rows))] if batch.divisible else [(0, len(batch.rows))]


def _widths(batch: AdapterBatch) -> np.ndarray:
    """Tokens of the longest sequence in each of `_indivisible`."""
    return batch.widths if batch.divisible else batch.widths.max(keepdims=True)


def _joined(parts: Sequence[Part]) -> Pass:
    """One part a batch, since its items stand in the order of their lengths."""
    found: dict[int, Part] = {}
    for part in parts:
        before = found.get(part.batch, part)
        assert before is part or before.end == part.begin, "a divisible batch ascends in length"
        found[part.batch] = before._replace(end=part.end)
    return list(found.values())


def largest(batches: Sequence[AdapterBatch], passes: Sequence[Pass]) -> int:
    """The tokens of the largest pass, padding included."""
    return max(
        max(int(batches[part.batch].widths[part.begin : part.end].max()) for part in one)
        * sum((part.end - part.begin) * batches[part.batch].examples.choices for part in one)
        for one in passes
    )
