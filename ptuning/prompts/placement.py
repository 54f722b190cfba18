"""Where a prompt stands in a sequence: token order, position ids, and where the token that a head reads is afterwards.

A prompt occupies `length` positions where it stands. `prefix` is before the first token, [PROMPT; x; y]; `infix` is
after the last token of the first segment, before its separator: [CLS] x PROMPT [SEP] y [SEP], or, with one segment,
at the end of its text.

`positions: shift` moves the position ids of the real tokens right of the prompt by its length, as the authors' code
and PEFT do; `keep` leaves them as the backbone knows them. With `keep`, the slots of an inserted prompt all carry the
position id of the place where they stand (a constant that the learned embedding can absorb).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ptuning.data.encoded import Encoded
from ptuning.errors import InputError

Placement = Literal["prefix", "infix"]
Positions = Literal["shift", "keep"]


@dataclass(frozen=True)
class Layout:
    """How a method's prompt joins a sequence: `inserted` rows among the tokens (an input prompt; a deep prompt inserts
    none), and `length` positions that it occupies."""

    inserted: int = 0
    length: int = 0
    placement: Placement = "prefix"
    positions: Positions = "keep"

    @property
    def shift(self) -> int:
        """By how much the position ids right of the prompt move."""
        return self.length if self.positions == "shift" else 0

    def check(self, max_length: int, max_positions: int) -> None:
        """Raise InputError where prompt and text together could pass the end of the backbone's position table."""
        if max_length + self.shift > max_positions:
            fix = (
                f"shorten prompt.length to {max_positions - max_length} or less, or set prompt.positions=keep"
                if max_length < max_positions
                else f"set task.max_length to {max(1, max_positions - self.shift)} or less"
            )
            raise InputError(
                f"prompt.length={self.length} with task.max_length={max_length} needs {max_length + self.shift} "
                f"positions, and the backbone has {max_positions}: {fix}."
            )


@dataclass(frozen=True)
class Batch:
    """Padded rows on the device. All `[B, T]` but `reads` `[B]`, the index of the token that the head reads, where it
    reads one alone (`Encoded.reads`). `slots` is the prompt row that stands at an index, -1 at a real token."""

    input_ids: Tensor
    token_type_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    slots: Tensor
    reads: Tensor

    def rows(self, which: slice | Tensor) -> Batch:
        return Batch(*(field[which] for field in vars(self).values()))


def table(
    examples: Encoded, sequences: np.ndarray, layout: Layout, width: int, pad_id: int, first_position: int
) -> np.ndarray:
    """`sequences` of `examples` with the prompt of `layout` in place, padded on the right to `width`: the fields of a
    `Batch` as `[6, B, width]`. `first_position` is the position id of a sequence's first token (0 for BERT, 2 for
    RoBERTa)."""
    column = np.arange(width)[None]
    length = examples.lengths[sequences][:, None]
    at = np.zeros_like(length) if layout.placement == "prefix" else examples.infix[sequences][:, None]
    slots = np.where((column >= at) & (column < at + layout.inserted), column - at, -1)
    source = column - np.where(column >= at + layout.inserted, layout.inserted, 0)  # the token's index in its text
    real = (slots < 0) & (source < length)
    flat = examples.starts[sequences][:, None] + np.minimum(source, length - 1)
    before = examples.types[examples.starts[sequences][:, None] + np.maximum(at - 1, 0)]  # a prompt's token type
    prompted = slots >= 0
    position = source + np.where(source >= at, layout.shift, 0)
    standing = at + (np.maximum(slots, 0) if layout.shift else 0)
    present = real | prompted
    reads = np.zeros_like(length) if examples.reads is None else examples.reads[sequences][:, None]
    return np.stack([
        np.where(real, examples.tokens[flat], np.where(prompted, 0, pad_id)),
        np.where(real, examples.types[flat], np.where(prompted, before, 0)),
        np.where(present, np.where(prompted, standing, position), 0) + first_position,
        present,
        slots,
        np.broadcast_to(reads + np.where(reads >= at, layout.inserted, 0), slots.shape),
    ]).astype(np.int64)  # fmt: skip


def collate(tables: Sequence[np.ndarray], device: torch.device) -> Batch:
    """The batch of `tables`, one below the other, in one transfer that nobody waits for."""
    whole = torch.from_numpy(np.concatenate(tables, axis=1))
    if device.type == "cuda":
        whole = whole.pin_memory()
    ids, types, positions, mask, slots, reads = whole.to(device, non_blocking=True).unbind()
    return Batch(ids, types, positions, mask, slots, reads[:, 0])
