"""The hidden-state cache: what the layers below the first prompt give. Nothing that trains reaches them, so with the
backbone's dropout off what they give for a text is the same in every epoch and in every run, and is computed once.

Kept on the backbone's device up to a bound, then in files on disk up to another, and beyond that computed each time.
What is kept belongs to one backbone in one precision, one set of texts, one first prompted layer, and one placing of
the position ids. No published code of these papers does this; it changes no number, float rounding aside.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from ptuning.data.encoded import Encoded
from ptuning.prompts.placement import Batch, Layout

Key = tuple[Encoded, int, tuple[int, str] | None]  # texts, first prompted layer, (shift, placement) where ids move


@dataclass
class Store:
    """The hidden states `[all tokens, H]` of a set of texts; `filled`: `[S]`, which sequences are there."""

    examples: Encoded
    values: Tensor
    filled: np.ndarray
    in_memory: bool

    def put(self, sequences: np.ndarray, hidden: Tensor) -> None:
        """Keep the hidden states `[S, T, H]` of those sequences, without their padding."""
        lengths = self.examples.lengths[sequences]
        row = np.repeat(np.arange(len(sequences)), lengths)
        column = np.arange(len(row)) - np.repeat(lengths.cumsum() - lengths, lengths)
        flat = self.examples.starts[sequences][row] + column
        found = hidden[_index(row, hidden), _index(column, hidden)]
        self.values[_index(flat, self.values)] = found.to(self.values.device)
        self.filled[sequences] = True

    def get(self, sequences: np.ndarray, width: int) -> Tensor:
        """`[B, width, H]`; a sequence's last token fills the padding, which nothing looks at."""
        last = self.examples.lengths[sequences][:, None] - 1
        flat = self.examples.starts[sequences][:, None] + np.minimum(np.arange(width)[None], last)
        chosen = self.values.index_select(0, _index(flat.ravel(), self.values))
        return chosen.view(len(sequences), width, -1)


def _index(values: np.ndarray, beside: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(beside.device, non_blocking=True)


class HiddenCache:
    """What a backbone's layers below the first prompt give, at most `memory` bytes of it on its device and `disk`
    bytes in files.

    `compute(layer, batch)` gives what enters a layer, `[B, T, H]`, as `like` `[1, H]` is: its size, type and device.
    """

    def __init__(self, compute: Callable[[int, Batch], Tensor], like: Tensor, memory: float, disk: float) -> None:
        self.compute, self.like, self.memory, self.disk = compute, like, memory, disk
        self.stores: dict[Key, Store] = {}  # in the order of their last use
        self.wanted: set[Key] = set()

    @staticmethod
    def key(examples: Encoded, layer: int, layout: Layout) -> Key:
        """What tells a store from another: the examples, the layer, and where a prompt shifts positions."""
        return examples, layer, (layout.shift, layout.placement) if layout.shift else None

    def hold(self, keys: Iterable[Key]) -> None:
        """Only what is not among `keys` may be dropped to make room."""
        self.wanted = set(keys)

    def hidden(self, layer: int, examples: Encoded, sequences: np.ndarray, layout: Layout, batch: Batch) -> Tensor:
        """What enters `layer`, `[B, T, H]`, for `sequences` of `examples`, which `batch` holds."""
        store = self._store(layer, examples, layout)
        if store is None:
            return self.compute(layer, batch)
        missing = np.flatnonzero(~store.filled[sequences])
        if len(missing):
            rows = batch if len(missing) == len(sequences) else batch.rows(_index(missing, batch.reads))
            store.put(sequences[missing], self.compute(layer, rows))
        return store.get(sequences, batch.input_ids.shape[1]).to(self.like.device, non_blocking=True)

    def _store(self, layer: int, examples: Encoded, layout: Layout) -> Store | None:
        key = self.key(examples, layer, layout)
        store = self.stores.pop(key, None) or self._new(examples)
        if store is not None:
            self.stores[key] = store
        return store

    def _new(self, examples: Encoded) -> Store | None:
        shape = (int(examples.starts[-1]), self.like.shape[-1])
        size = prod(shape) * self.like.dtype.itemsize
        for in_memory, bound in ((True, self.memory), (False, self.disk)):
            if self._make_room(in_memory, size, bound):
                try:
                    values = self._allocate(shape, in_memory)
                except (OSError, torch.OutOfMemoryError):
                    continue  # less room than the bound allows: it is only a cache
                return Store(examples, values, np.zeros(len(examples.lengths), dtype=bool), in_memory)
        return None

    def _make_room(self, in_memory: bool, size: int, bound: float) -> bool:
        free = bound - sum(s.values.nbytes for s in self.stores.values() if s.in_memory == in_memory)
        idle = [k for k, s in self.stores.items() if s.in_memory == in_memory and k not in self.wanted]
        for key in idle:
            if free < size <= bound:
                free += self.stores.pop(key).values.nbytes
        return free >= size

    def _allocate(self, shape: tuple[int, int], in_memory: bool) -> Tensor:
        dtype = self.like.dtype
        with torch.inference_mode(False):  # evaluation may be the first to ask, and training uses it too
            if in_memory:
                return torch.empty(shape, dtype=dtype, device=self.like.device)
            if not hasattr(os, "posix_fallocate"):
                raise OSError("this system cannot reserve room on disk")
            with tempfile.NamedTemporaryFile(prefix="ptuning-hidden-") as file:  # unlinked at once, alive as a mapping
                os.posix_fallocate(file.fileno(), 0, prod(shape) * dtype.itemsize)
                return torch.from_file(file.name, shared=True, size=prod(shape), dtype=dtype).view(shape)
