"""A split as the backbone reads it, in flat arrays, whatever the task asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

IGNORED = -100  # the target of what nothing is to be learned from: torch's own mark


@dataclass(frozen=True, eq=False)
class Encoded:
    """`S` token sequences end to end, in `N` items of `choices` sequences each, one after another. What is learned and
    answered is an item: an example, or a window of one that is too long for a single sequence.

    tokens, types: `[all tokens]`; starts: `[S + 1]`, where each sequence begins; infix: `[S]`, the index right of the
    first segment's last token; targets: an item's targets end to end, beginning at target_starts `[N + 1]` (one label;
    or one a token; or the first and last token of an answer), of the type that the head learns from; owners: `[N]`,
    the example an item is of, ascending; reads: `[S, K]`, the indices in each sequence of the tokens that the head
    reads, None where it reads them all; places: `[all tokens, …]` where in its example a token stands, for those heads
    that answer with tokens; rows: `[S, P]`, the token that each row of a prompt stands before, ascending, where the
    text is a template with places for them; answers: `[S, K]`, the vocabulary's token that is scored at each of
    `reads`, `IGNORED` for none; decoder: `[S, U]`, what an encoder-decoder's decoder is given, of which `reads` are
    then, `IGNORED` behind its end; cut: how many items lack a part of their text, or of what is to be said, by what
    it was, where that is counted.
    """

    tokens: np.ndarray
    types: np.ndarray
    starts: np.ndarray
    infix: np.ndarray
    targets: np.ndarray
    target_starts: np.ndarray
    owners: np.ndarray
    choices: int = 1
    reads: np.ndarray | None = None
    places: np.ndarray | None = None
    rows: np.ndarray | None = None
    answers: np.ndarray | None = None
    decoder: np.ndarray | None = None
    cut: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.owners)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sequence, `[S]`."""
        return np.diff(self.starts)

    @cached_property
    def longest(self) -> np.ndarray:
        """Tokens of each item's longest sequence, `[N]`."""
        return self.lengths.reshape(-1, self.choices).max(axis=1)

    def first(self, count: int) -> Encoded:
        """The first `count` items."""
        sequences = count * self.choices
        end = self.starts[sequences]
        return replace(
            self, tokens=self.tokens[:end], types=self.types[:end], starts=self.starts[: sequences + 1],
            infix=self.infix[:sequences], targets=self.targets[: self.target_starts[count]],
            target_starts=self.target_starts[: count + 1], owners=self.owners[:count],
            reads=_first(self.reads, sequences), places=_first(self.places, end), rows=_first(self.rows, sequences),
            answers=_first(self.answers, sequences), decoder=_first(self.decoder, sequences),
        )  # fmt: skip

    def sequences(self, rows: np.ndarray) -> np.ndarray:
        """The sequences `[B x choices]` of the items `rows` `[B]`."""
        return (rows[:, None] * self.choices + np.arange(self.choices)).ravel()

    def targets_of(self, rows: np.ndarray) -> np.ndarray:
        """The targets of the items `rows`, `[B, K]`, shorter ones filled up with `IGNORED`."""
        starts, ends = self.target_starts[rows][:, None], self.target_starts[rows + 1][:, None]
        at = starts + np.arange((ends - starts).max())
        return np.where(at < ends, self.targets[np.minimum(at, len(self.targets) - 1)], IGNORED)


def _first(values: np.ndarray | None, count: int) -> np.ndarray | None:
    return None if values is None else values[:count]


@dataclass(frozen=True)
class Sequences:
    """What the tokenizer gives, end to end. tokens, types, segments (0, 1, or -1 for special tokens): `[all tokens]`;
    offsets: `[all tokens, 2]`, the characters of its text that a token stands for, end exclusive; lengths, infix,
    texts (which of the texts given a sequence is of): `[S]`."""

    tokens: np.ndarray
    types: np.ndarray
    segments: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    infix: np.ndarray
    texts: np.ndarray

    @classmethod
    def of(cls, batch: Any) -> Sequences:
        """Of a fast tokenizer's output."""
        found = batch.encodings
        segments = [np.array([-1 if s is None else s for s in one.sequence_ids], dtype=np.int8) for one in found]
        last = [np.flatnonzero(one == 0) for one in segments]
        mapping = batch.get("overflow_to_sample_mapping", range(len(found)))
        typed = "token_type_ids" in batch
        return cls(
            tokens=np.concatenate([np.array(one.ids, dtype=np.int32) for one in found]),
            types=np.concatenate([np.array(one.type_ids if typed else [0] * len(one.ids), np.int8) for one in found]),
            segments=np.concatenate(segments),
            offsets=np.concatenate([np.array(one.offsets, dtype=np.int32).reshape(-1, 2) for one in found]),
            lengths=np.array([len(one.ids) for one in found]),
            infix=np.array([one[-1] + 1 if len(one) else 1 for one in last]),
            texts=np.array(mapping),
        )

    @classmethod
    def joined(cls, parts: list[Sequences]) -> Sequences:
        """Parts one after another; their texts are counted on."""
        shifts = np.cumsum([0] + [int(part.texts[-1]) + 1 for part in parts[:-1]])
        columns = {one.name: [getattr(part, one.name) for part in parts] for one in fields(cls)}
        columns["texts"] = [texts + shift for texts, shift in zip(columns["texts"], shifts, strict=True)]
        return cls(**{name: np.concatenate(column) for name, column in columns.items()})

    @property
    def starts(self) -> np.ndarray:
        return np.concatenate([[0], self.lengths.cumsum()])
