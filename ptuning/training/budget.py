"""How much goes through the backbone at once: measured on the device, and made smaller where memory runs out."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Budget:
    """tokens: at most so many, padding included, in one pass through the backbone, unless what is not to be cut has
    more; overhead: the fixed cost of a pass, in tokens."""

    tokens: int
    overhead: int = 256

    def shrink(self, used: int) -> None:
        """After `used` tokens were too many."""
        self.tokens = max(1, min(self.tokens, used) // 2)

    def cuts(self, widths: np.ndarray, sequences: np.ndarray) -> list[tuple[int, int]]:
        """The best cut of things that have so many `sequences` of so many tokens (`widths`, ascending) into groups of
        neighbours, one a pass: where each begins and ends. Overheads and padded tokens add up to the least (dynamic
        programming)."""
        before = np.concatenate([[0], sequences.cumsum()])
        costs, cuts = np.zeros(len(widths) + 1), [0]
        for end in range(1, len(widths) + 1):
            width = widths[end - 1]
            first = min(end - 1, int(np.searchsorted(before, before[end] - self.tokens // width)))
            through_here = costs[first:end] + (before[end] - before[first:end]) * width
            cuts.append(end - 1 - int(through_here[::-1].argmin()))
            costs[end] = self.overhead + through_here[cuts[end] - first]
        found, end = [], len(widths)
        while end:
            found.append((cuts[end], end))
            end = cuts[end]
        return found[::-1]


def retry_in_halves(
    budget: Budget,
    work: Callable[[Sequence[T]], list[R | Exception]],
    items: Sequence[T],
    tokens: Callable[[Sequence[T]], int],
) -> list[R | Exception]:
    """`work(items)`, one result an item. Where that fails, each half of the items is worked on by itself, down to the
    item that is at fault: its result is the exception. Where memory ran out, the budget shrinks too; `tokens` says how
    many the largest pass of some items has.
    """
    try:
        return work(items)
    except Exception as error:
        if device_lost(error):
            raise
        error.add_note("".join(traceback.format_exception(error)))
        failure = error.with_traceback(None)  # which would keep the failed pass's tensors alive
    if out_of_memory(failure):
        budget.shrink(tokens(items))
        give_back_memory()
    if len(items) == 1:
        return [failure]
    middle = len(items) // 2
    halves = (items[:middle], items[middle:])
    return [result for half in halves for result in retry_in_halves(budget, work, half, tokens)]


def give_back_memory() -> None:
    """Let the device have what is kept of memory and not used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, on whichever device."""
    texts = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


def device_lost(error: BaseException) -> bool:
    """Whether the device is of no use to this process any more."""
    return isinstance(error, torch.AcceleratorError) and not out_of_memory(error)
