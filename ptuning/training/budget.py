"""How much goes through the backbone at once: measured on the device, and made smaller where memory runs out."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ptuning.training.adapter import AdapterBatch

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Budget:
    """tokens: at most so many, padding included, in one pass through the backbone (one lane's batch is never cut);
    overhead: the fixed cost of a pass, in tokens."""

    tokens: int
    overhead: int = 256

    def shrink(self, used: int) -> None:
        """After `used` tokens were too many."""
        self.tokens = max(1, min(self.tokens, used) // 2)

    def passes(self, batches: Sequence[AdapterBatch]) -> list[list[int]]:
        """The indices of `batches` in groups, one a pass, so that overheads and padded tokens add up to the least.

        Only batches that enter the backbone at the same layer share a pass.
        """
        by_layer: dict[int, list[int]] = {}
        for index, batch in enumerate(batches):
            by_layer.setdefault(batch.adapter.entry_layer, []).append(index)
        return [group for indices in by_layer.values() for group in self._cheapest(batches, indices)]

    def _cheapest(self, batches: Sequence[AdapterBatch], indices: list[int]) -> list[list[int]]:
        """The best cut of `indices`, ordered by width, into groups of neighbours (dynamic programming)."""
        order = sorted(indices, key=lambda index: batches[index].width)
        costs, cuts = [0.0], [0]
        for end in range(1, len(order) + 1):
            width, rows = batches[order[end - 1]].width, 0
            best, cut = float("inf"), end - 1
            for start in range(end - 1, -1, -1):
                batch = batches[order[start]]
                rows += len(batch.rows) * batch.examples.choices
                if start < end - 1 and rows * width > self.tokens:
                    break
                cost = costs[start] + self.overhead + rows * width
                if cost < best:
                    best, cut = cost, start
            costs.append(best)
            cuts.append(cut)
        groups, end = [], len(order)
        while end:
            groups.append(order[cuts[end] : end])
            end = cuts[end]
        return groups[::-1]


def retry_in_halves(
    budget: Budget, work: Callable[[Sequence[T]], list[R | Exception]], items: Sequence[T], tokens: int
) -> list[R | Exception]:
    """`work(items)`, one result an item. Where that fails, each half of the items is worked on by itself, down to the
    item that is at fault: its result is the exception. Where memory ran out, the budget shrinks too.
    """
    try:
        return work(items)
    except Exception as error:
        if device_lost(error):
            raise
        error.add_note("".join(traceback.format_exception(error)))
        failure = error.with_traceback(None)  # which would keep the failed pass's tensors alive
    if out_of_memory(failure):
        budget.shrink(tokens)
        give_back_memory()
    if len(items) == 1:
        return [failure]
    middle = len(items) // 2
    halves = (items[:middle], items[middle:])
    return [result for half in halves for result in retry_in_halves(budget, work, half, tokens // 2)]


def give_back_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    texts = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


def device_lost(error: BaseException) -> bool:
    """Whether the device is of no use to this process any more."""
    return isinstance(error, torch.AcceleratorError) and not out_of_memory(error)
