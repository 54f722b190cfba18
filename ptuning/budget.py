"""How much goes through the backbone at once: measured on the device, and made smaller where memory runs out."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import psutil
import torch
from torch import Tensor

from ptuning.adapters import Part, layer_prompts
from ptuning.backbone import Backbone
from ptuning.layout import Batch
from ptuning.methods.base import DeepPrompt

WIDTH, LENGTH = 64, 20  # tokens and prompt length of the rows that are measured
GAIN = 1.05  # a pass of twice the tokens must be this much faster a token to be worth its memory
MEMORY = 0.7  # share of the free memory that a pass may fill
LARGEST = 2**18

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

    def passes(self, parts: Sequence[Part]) -> list[list[int]]:
        """The indices of `parts` in groups, one a pass, so that overheads and padded tokens add up to the least.

        Only parts that enter the backbone at the same layer share a pass.
        """
        starts: dict[int, list[int]] = {}
        for index, part in enumerate(parts):
            starts.setdefault(part.adapter.method.first_layer, []).append(index)
        return [group for members in starts.values() for group in self._cheapest(parts, members)]

    def _cheapest(self, parts: Sequence[Part], members: list[int]) -> list[list[int]]:
        """The best cut of `members`, ordered by width, into runs of neighbours (dynamic programming)."""
        order = sorted(members, key=lambda index: parts[index].width)
        costs, cuts = [0.0], [0]
        for end in range(1, len(order) + 1):
            width, rows = parts[order[end - 1]].width, 0
            best, cut = float("inf"), end - 1
            for start in range(end - 1, -1, -1):
                part = parts[order[start]]
                rows += len(part.rows) * part.examples.choices
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


def halving(
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
        _give_back_memory()
    if len(items) == 1:
        return [failure]
    middle = len(items) // 2
    halves = (items[:middle], items[middle:])
    return [result for half in halves for result in halving(budget, work, half, tokens // 2)]


def _give_back_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    texts = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


def device_lost(error: BaseException) -> bool:
    """Whether the device is of no use to this process any more."""
    return isinstance(error, torch.AcceleratorError) and not out_of_memory(error)


def measure(backbone: Backbone) -> Budget:
    """The budget for training prompts on `backbone` where it is: the fewest tokens at which passes are about as fast
    a token as they get, within the memory that is free now. Takes seconds."""
    backbone.train()  # with dropout and checkpointing, as it will be used
    if backbone.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(backbone.device)
    timed(lambda: _pass(backbone, WIDTH * 2), backbone.device)  # whatever happens once only
    room = MEMORY * _free(backbone.device)
    seconds: dict[int, float] = {}
    tokens = WIDTH * 8
    while tokens <= LARGEST:
        try:
            seconds[tokens] = min(timed(partial(_pass, backbone, tokens), backbone.device) for _ in range(2))
        except Exception as error:
            if not out_of_memory(error):
                raise
            break
        needed = 2 * _peak(backbone, tokens)
        if needed > room or _levelled_off(seconds, tokens):
            break
        tokens *= 2
    backbone.forget()
    if not seconds:
        return Budget(WIDTH)
    rates = {tokens: tokens / time for tokens, time in seconds.items()}
    chosen = next(tokens for tokens, rate in rates.items() if rate * GAIN >= max(rates.values()))
    return Budget(chosen, _overhead(seconds))


def _levelled_off(seconds: dict[int, float], tokens: int) -> bool:
    return tokens // 2 in seconds and seconds[tokens] * GAIN >= 2 * seconds[tokens // 2]


def _overhead(seconds: dict[int, float]) -> int:
    """The tokens that would take as long as a pass's fixed cost, from the first and the last of the times."""
    (few, short), (many, long) = min(seconds.items()), max(seconds.items())
    if many == few or long <= short:
        return WIDTH
    slope = (long - short) / (many - few)
    return max(WIDTH, int(short / slope - few))


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)


def _peak(backbone: Backbone, tokens: int) -> float:
    """Bytes that a pass of `tokens` takes at its peak."""
    if backbone.device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(backbone.device) - torch.cuda.memory_allocated(backbone.device))
    return 2.0 * _saved(backbone, WIDTH) * tokens / WIDTH  # what is kept for the backward pass, and as much again


def _saved(backbone: Backbone, tokens: int) -> int:
    """Bytes that autograd keeps for a pass of `tokens`."""
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in backbone.parameters()}

    def note(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _pass(backbone, tokens)
    return sum(kept.values())


def timed(act: Callable[[], None], device: torch.device) -> float:
    """Seconds that `act` takes, the device's part of it included."""
    _wait(device)
    began = time.perf_counter()
    act()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _pass(backbone: Backbone, tokens: int) -> None:
    """Forward and backward of `tokens` in rows of WIDTH with a deep prompt in every layer."""
    rows, device = tokens // WIDTH, backbone.device
    ids = torch.full((rows, WIDTH), 5, device=device)
    positions = torch.arange(WIDTH, device=device).expand(rows, -1) + backbone.first_position
    seen = torch.ones_like(ids)
    seen[:, -1] = 0  # a mask, as real batches have one
    batch = Batch(ids, ids * 0, positions, seen, ids * 0 - 1, ids[:, 0] * 0)
    shape = (backbone.layers, 2, backbone.heads, LENGTH, backbone.head_size)
    values = torch.zeros(shape, device=device, requires_grad=True)
    prompts = layer_prompts([DeepPrompt(tuple(range(1, backbone.layers + 1)), values)], [rows])
    hidden = backbone(
        backbone.words(batch), batch.token_type_ids, batch, [prompts[layer] for layer in sorted(prompts)]
    )
    hidden.float().sum().backward()
