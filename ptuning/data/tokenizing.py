"""Texts to sequences, through the backbone's tokenizer: cut to a length, or in windows where nothing may be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ptuning.data.encoded import Sequences
from ptuning.errors import InputError

# Texts and characters tokenized at a time: the tokenizer's own output is many times the size of the arrays.
CHUNK, CHUNK_CHARACTERS = 4096, 2**23
Pair = tuple[str, str | None]


def cut(pairs: Sequence[Pair], tokenizer: Any, max_length: int) -> Sequences:
    """A sequence a pair, the longer segment cut first to at most `max_length` tokens, as the authors do.

    What comes out is what the tokenizer's own truncation gives. That one also builds all that it cuts off, in every
    combination of both segments' rests, which is gigabytes for a few pairs of long texts. Raises InputError for a text
    that the tokenizer makes nothing of.
    """
    room = max_length - tokenizer.num_special_tokens_to_add(pair=pairs[0][1] is not None)
    from_left = tokenizer.truncation_side == "left"
    batches = _tokenized(pairs, tokenizer, truncation=False, verbose=False)
    found = Sequences.joined([_shortened(Sequences.of(batch), room, from_left) for batch in batches])
    if not found.lengths.all():
        empty = int(np.argmin(found.lengths))
        raise InputError(
            f"the text number {empty + 1} of a split, {pairs[empty][0][:60]!r}, leaves the backbone nothing to read: "
            "remove its row, or give it a text."
        )
    return found


def windowed(
    pairs: Sequence[Pair],
    tokenizer: Any,
    max_length: int,
    stride: int,
    split: Literal["first", "second"],
    places: Sequence[str],
) -> Sequences:
    """One or more sequences a pair, whose segment `split` goes on from one to the next with an overlap of `stride`
    tokens. Raises InputError, which names the pair by its place, where the other segment leaves no room for that."""
    other = [(pair[1] or "") if split == "first" else pair[0] for pair in pairs]
    special = tokenizer.num_special_tokens_to_add(pair=pairs[0][1] is not None)
    lengths = [
        len(ids)
        for chunk in _chunks([(text, None) for text in other])
        for ids in tokenizer([text for text, _ in chunk], add_special_tokens=False, verbose=False)["input_ids"]
    ]
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    most = max_length - special - stride - 1
    if most < 0:
        raise InputError(
            f"task.max_length={max_length} leaves no window that overlaps the next by stride={stride}: make the one "
            "greater or the other smaller."
        )
    if lengths[longest] > most:
        raise _without_room(other[longest], lengths[longest], most, max_length, tokenizer, places[longest])
    batches = _tokenized(
        pairs,
        tokenizer,
        truncation=f"only_{split}",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
    )
    return Sequences.joined([Sequences.of(batch) for batch in batches])


def _without_room(text: str, length: int, most: int, max_length: int, tokenizer: Any, place: str) -> InputError:
    """The refusal of a pair whose other segment, `text` of `length` tokens, may have at most `most`."""
    needed = max_length + length - most
    longer = f", or make task.max_length {needed} or more" if needed <= tokenizer.model_max_length else ""
    return InputError(
        f"{place}: {text[:60]!r} has {length} tokens, and task.max_length={max_length} has room for {most} beside a "
        f"window of the text: shorten it or remove the row{longer}."
    )


def _tokenized(pairs: Sequence[Pair], tokenizer: Any, **how: Any) -> Iterator[Any]:
    """What the tokenizer gives, a chunk at a time."""
    if len({second is None for _, second in pairs}) != 1:
        raise ValueError("a task's examples have either one segment each or two")
    for chunk in _chunks(pairs):
        texts = [list(column) for column in zip(*chunk, strict=True)]
        yield tokenizer(*(texts if texts[1][0] is not None else texts[:1]), **how)


def _chunks(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    chunk: list[Pair] = []
    characters = 0
    for first, second in pairs:
        length = len(first) + len(second or "")
        if chunk and (len(chunk) == CHUNK or characters + length > CHUNK_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append((first, second))
        characters += length
    yield chunk


def _shortened(whole: Sequences, room: int, from_left: bool) -> Sequences:
    """The sequences with at most `room` tokens of their segments each, and all special tokens."""
    sequence = np.repeat(np.arange(len(whole.lengths)), whole.lengths)
    first, second = (np.bincount(sequence[whole.segments == one], minlength=len(whole.lengths)) for one in (0, 1))
    kept = whole.segments < 0
    for one, count, limit in zip((0, 1), (first, second), _kept(first, second, room), strict=True):
        inside = whole.segments == one
        before = np.concatenate([[0], inside.cumsum()])
        place = before[:-1] - before[whole.starts[:-1]][sequence]
        place = (count[sequence] - 1 - place) if from_left else place
        kept |= inside & (place < limit[sequence])
    sequence, segments = sequence[kept], whole.segments[kept]
    lengths = np.bincount(sequence, minlength=len(whole.lengths))
    place = np.arange(len(sequence)) - np.concatenate([[0], lengths.cumsum()])[sequence]
    infix = np.ones_like(whole.infix)
    np.maximum.at(infix, sequence[segments == 0], place[segments == 0] + 1)
    return Sequences(
        whole.tokens[kept], whole.types[kept], segments, whole.offsets[kept], lengths, infix, whole.texts
    )  # fmt: skip


def _kept(first: np.ndarray, second: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """How many tokens of two segments are kept where together they may have `room`: the longer one is cut to the
    shorter one's length first, then both to half, of which the longer gets the greater."""
    short, long = np.minimum(first, second), np.maximum(first, second)
    fits, half = short + long <= room, room // 2
    kept_short = np.where(fits | (short <= half), short, half)
    kept_long = np.where(fits, long, room - kept_short)
    second_is_longer = first <= second
    return np.where(second_is_longer, kept_short, kept_long), np.where(second_is_longer, kept_long, kept_short)
