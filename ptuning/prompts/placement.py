"""Where a prompt stands in a sequence: token order, position ids, and where the token that a head reads is afterwards.

A placement is an array: for each sequence it says before which token each prompt row stands. `prefix` is before the
first token, [PROMPT; x; y]; `infix` is after the last token of the first segment, before its separator:
[CLS] x PROMPT [SEP] y [SEP], or, with one segment, at the end of its text; `template` is where a head's template has
places for them, which may stand apart (P-Tuning, section 3.2). Each row occupies a position where it stands.

`positions: shift` moves the position ids of the real tokens right of the prompt by its length, as the authors' code
and PEFT do; `keep` leaves them as the backbone knows them. With `keep`, the slots of an inserted prompt all carry the
position id of the place where they stand (a constant that the learned embedding can absorb).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ptuning.data.encoded import Encoded
from ptuning.errors import InputError

Placement = Literal["prefix", "infix", "template"]
Positions = Literal["shift", "keep"]

# Before which token of each sequence the rows of a prompt stand: `[B, P]`, or `[B, 1]` where all stand together.
PLACEMENTS: dict[Placement, Callable[[Encoded, np.ndarray], np.ndarray]] = {
    "prefix": lambda examples, sequences: np.zeros((len(sequences), 1), dtype=np.int64),
    # The last token stands behind it also where no separator ends the text: in a decoder it alone has seen all.
    "infix": lambda examples, sequences: np.minimum(examples.infix, examples.lengths - 1)[sequences, None],
    "template": lambda examples, sequences: _template_rows(examples)[sequences],
}


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

    def before(self, examples: Encoded, sequences: np.ndarray) -> np.ndarray:
        """The token that each prompt row stands before, `[B, P]`, ascending: 0 is the first of the sequence, and its
        length is behind the last."""
        return np.broadcast_to(PLACEMENTS[self.placement](examples, sequences), (len(sequences), self.length))

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
    """Padded rows on the device. All `[B, T]` but `reads` `[B, K]`, the indices of the tokens that the head reads,
    where it does not read all (`Encoded.reads`); where others in the batch read more, its own come first. `slots` is
    the prompt row that stands at an index, -1 at a real token."""

    input_ids: Tensor
    token_type_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    slots: Tensor
    reads: Tensor

    def rows(self, which: slice | Tensor) -> Batch:
        """Those sequences of the batch, `[S, …]` of `[B, …]`."""
        return Batch(*(field[which] for field in vars(self).values()))


def table(
    examples: Encoded,
    sequences: np.ndarray,
    layout: Layout,
    width: int,
    pad_id: int,
    first_position: int,
    padding: Literal["right", "left"] = "right",
) -> np.ndarray:
    """`sequences` of `examples` with the prompt of `layout` in place, padded to `width`: the fields of a `Batch` as
    `[6, B, width]`. `first_position` is the position id of a sequence's first token (0 for BERT, 2 for RoBERTa)."""
    before = layout.before(examples, sequences)  # [B, P]
    length, start = examples.lengths[sequences][:, None], examples.starts[sequences][:, None]
    blank = width - length - layout.inserted if padding == "left" else np.zeros_like(length)
    column = np.arange(width)[None] - blank  # counted from where the sequence begins
    slots = _slots(before[:, : layout.inserted] + blank, width)
    prompted = slots >= 0
    source = column - prompted.cumsum(1)  # the token's index in its text
    real = ~prompted & (source >= 0) & (source < length)
    token = start + source.clip(0, length - 1)
    standing = np.take_along_axis(before, slots.clip(0), axis=1) if layout.inserted else np.zeros_like(slots)
    types = examples.types
    # A prompt row has the token type of the token before it; with positions kept, all rows that stand together have
    # one position.
    moved = _rows_before(source, before) if layout.shift else 0
    position = np.where(prompted, standing + (slots if layout.shift else 0), source + moved)
    present = real | prompted
    reads = np.zeros_like(length) if examples.reads is None else examples.reads[sequences]
    return np.stack([
        np.where(real, examples.tokens[token], np.where(prompted, 0, pad_id)),
        np.where(real, types[token], np.where(prompted, types[start + (standing - 1).clip(0)], 0)),
        np.where(present, position, 0) + first_position,
        present,
        slots,
        _widened(blank + reads + _rows_before(reads, before[:, : layout.inserted]), width),
    ]).astype(np.int64)  # fmt: skip


def _template_rows(examples: Encoded) -> np.ndarray:
    assert examples.rows is not None  # `parsed` refuses a run whose head has no places
    return examples.rows


def _widened(reads: np.ndarray, width: int) -> np.ndarray:
    """`[B, K]` as `[B, width]`, the last one repeated."""
    return reads[:, np.arange(width).clip(max=reads.shape[1] - 1)]


def _slots(before: np.ndarray, width: int) -> np.ndarray:
    """The prompt row that stands in each column, `[B, width]`, -1 where none does; `before`: `[B, P]`."""
    slots = np.full((len(before), width), -1)
    rows = np.arange(before.shape[1])
    np.put_along_axis(slots, before + rows, np.broadcast_to(rows, before.shape), axis=1)
    return slots


def _rows_before(source: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How many prompt rows stand before each of the tokens `source`, `[B, T]`."""
    if before.shape[1] and (before[:, 0] == before[:, -1]).all():  # they stand together, as they nearly always do
        return (before[:, :1] <= source) * before.shape[1]
    return (before[:, None] <= source[..., None]).sum(axis=2)


def collate(tables: Sequence[np.ndarray], device: torch.device, reads: int = 1) -> Batch:
    """The batch of `tables`, one below the other, in one transfer that nobody waits for; heads read so many tokens of
    a sequence at most, where they do not read all."""
    whole = torch.from_numpy(np.concatenate(tables, axis=1))
    if device.type == "cuda":
        whole = whole.pin_memory()
    ids, types, positions, mask, slots, read = whole.to(device, non_blocking=True).unbind()
    return Batch(ids, types, positions, mask, slots, read[:, :reads])
