"""Texts to sequences, through the backbone's tokenizer: cut to a length, or in windows where nothing may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ptuning.data.encoded import Sequences
from ptuning.errors import InputError

CHUNK = 4096  # texts tokenized at a time: the tokenizer's own output is many times the size of the arrays
Pair = tuple[str, str | None]


def cut(pairs: Sequence[Pair], tokenizer: Any, max_length: int) -> Sequences:
    """A sequence a pair, the longer segment cut first to at most `max_length` tokens, as the authors do."""
    return _chunked(pairs, tokenizer, truncation=True, max_length=max_length)


def windowed(
    pairs: Sequence[Pair], tokenizer: Any, max_length: int, stride: int, split: Literal["first", "second"]
) -> Sequences:
    """One or more sequences a pair, whose segment `split` goes on from one to the next with an overlap of `stride`
    tokens. Raises InputError where the other segment leaves no room for that."""
    other = [(pair[1] or "") if split == "first" else pair[0] for pair in pairs]
    special = tokenizer.num_special_tokens_to_add(pair=pairs[0][1] is not None)
    lengths = [
        len(ids)
        for at in range(0, len(other), CHUNK)
        for ids in tokenizer(other[at : at + CHUNK], add_special_tokens=False)["input_ids"]
    ]
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    if max_length - special - lengths[longest] <= stride:
        least = special + lengths[longest] + stride + 1
        raise InputError(
            f"task.max_length={max_length} leaves no window beside {other[longest][:60]!r} of {lengths[longest]} "
            f"tokens: make it {least} or more, or the overlap of windows (stride={stride}) smaller."
        )
    return _chunked(
        pairs,
        tokenizer,
        truncation=f"only_{split}",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
    )


def _chunked(pairs: Sequence[Pair], tokenizer: Any, **how: Any) -> Sequences:
    if len({second is None for _, second in pairs}) != 1:
        raise ValueError("a task's examples have either one segment each or two")
    parts = []
    for at in range(0, len(pairs), CHUNK):
        texts = [list(column) for column in zip(*pairs[at : at + CHUNK], strict=True)]
        given = texts if texts[1][0] is not None else texts[:1]
        parts.append(Sequences.of(tokenizer(*given, **how)))
    return Sequences.joined(parts)
