"""Where a prompt stands in a sequence: token order, position ids, and where the real [CLS] is afterwards.

A prompt occupies `length` positions where it stands. `prefix` is before the first token, [PROMPT; x; y]; `infix` is
after the last token of the first segment, before its separator: [CLS] x PROMPT [SEP] y [SEP], or, with one segment,
at the end of its text.

`positions: shift` moves the position ids of the real tokens right of the prompt by its length, as the authors' code
and PEFT do; `keep` leaves them as the backbone knows them. With `keep`, the slots of an inserted prompt all carry the
position id of the place where it stands (a constant that the learned embedding can absorb).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ptuning.errors import InputError

Placement = Literal["prefix", "infix"]
Positions = Literal["shift", "keep"]


@dataclass(frozen=True)
class TokenSequence:
    """A tokenized input. `infix` is the index right of the first segment's last token."""

    input_ids: list[int]
    token_type_ids: list[int]
    infix: int


@dataclass(frozen=True)
class Layout:
    """How a method's prompt joins a sequence: `inserted` rows among the tokens (an input prompt; a deep prompt inserts
    none), and `length` positions that it occupies."""

    inserted: int = 0
    length: int = 0
    placement: Placement = "prefix"
    positions: Positions = "keep"

    def check(self, max_length: int, max_positions: int) -> None:
        """Raise InputError where prompt and text together could pass the end of the backbone's position table."""
        shift = self.length if self.positions == "shift" else 0
        if max_length + shift > max_positions:
            fix = (
                f"shorten prompt.length to {max_positions - max_length} or less, or set prompt.positions=keep"
                if max_length < max_positions
                else f"set task.max_length to {max_positions} or less"
            )
            raise InputError(
                f"prompt.length={self.length} with task.max_length={max_length} needs {max_length + shift} positions, "
                f"and the backbone has {max_positions}: {fix}."
            )


@dataclass(frozen=True)
class Laid:
    """A sequence with its prompt in place. `slots` is the prompt row that stands at an index, -1 at a real token."""

    input_ids: list[int]
    token_type_ids: list[int]
    position_ids: list[int]
    slots: list[int]
    cls: int


@dataclass(frozen=True)
class Batch:
    """Padded rows on the device. All `[B, T]` but `cls` `[B]`, the index of the real [CLS]."""

    input_ids: Tensor
    token_type_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    slots: Tensor
    cls: Tensor


def lay_out(sequence: TokenSequence, layout: Layout, first_position: int) -> Laid:
    """Put the prompt of `layout` into `sequence`; `first_position` is the position id of a sequence's first token
    (0 for BERT, 2 for RoBERTa)."""
    ids, types = sequence.input_ids, sequence.token_type_ids
    at = 0 if layout.placement == "prefix" else sequence.infix
    shift = layout.length if layout.positions == "shift" else 0
    natural = list(range(first_position, first_position + len(ids)))
    standing = [natural[at] + (j if shift else 0) for j in range(layout.inserted)]
    return Laid(
        input_ids=ids[:at] + [0] * layout.inserted + ids[at:],
        token_type_ids=types[:at] + [types[max(at - 1, 0)]] * layout.inserted + types[at:],
        position_ids=natural[:at] + standing + [position + shift for position in natural[at:]],
        slots=[-1] * at + list(range(layout.inserted)) + [-1] * (len(ids) - at),
        cls=layout.inserted if at == 0 else 0,
    )


def collate(rows: Sequence[Laid], width: int, pad_id: int, first_position: int, device: torch.device) -> Batch:
    """`rows` padded on the right to `width` tokens, in one transfer to `device`."""

    def padded(name: str, filler: int) -> Tensor:
        values = [getattr(row, name) for row in rows]
        return torch.tensor([value + [filler] * (width - len(value)) for value in values])

    table = torch.stack([
        padded("input_ids", pad_id),
        padded("token_type_ids", 0),
        padded("position_ids", first_position),
        padded("slots", -1),
        torch.tensor([[1] * len(row.slots) + [0] * (width - len(row.slots)) for row in rows]),
        torch.tensor([row.cls for row in rows])[:, None].expand(-1, width),
    ]).to(device, non_blocking=True)  # fmt: skip
    ids, types, positions, slots, mask, cls = table.unbind()
    return Batch(ids, types, positions, mask, slots, cls[:, 0])
