"""Examples in a template, as a backbone's tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from ptuning.data.templates import Template
from ptuning.errors import InputError

CHUNK = 4096  # texts that are tokenized at a time


@dataclass
class Filled:
    """An example in a template. tokens, types: `[T]`; masks: the index of each token of the answer's place; rows:
    before which token each virtual token stands; infix: the index right of the first segment's last token."""

    tokens: list[int] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    infix: int | None = None

    def add(self, tokens: Sequence[int], type_id: int) -> None:
        """Put tokens behind the others, of that type."""
        self.tokens += tokens
        self.types += [type_id] * len(tokens)


@dataclass(frozen=True)
class Special:
    """The special tokens that a tokenizer puts before, between and behind segments, and the segments' token types."""

    before: list[int]
    between: list[int]
    behind: list[int]
    types: tuple[int, int]

    @classmethod
    def of(cls, tokenizer: Any, pair: bool) -> Special:
        """Of one segment, or a pair."""
        encoding = tokenizer(*["a"] * (1 + pair)).encodings[0]
        segments = [-1 if one is None else one for one in encoding.sequence_ids]
        last = max(at for at, one in enumerate(segments) if one >= 0)
        first = segments.index(0)
        between = [token for at, token in enumerate(encoding.ids) if segments[at] < 0 and first < at < last]
        return cls(
            encoding.ids[:first],
            between,
            encoding.ids[last + 1 :],
            (encoding.type_ids[first], encoding.type_ids[last]),
        )


class Filler:
    """Puts examples into a template. Special tokens stand where the tokenizer puts them around one segment, or two;
    virtual tokens that open the template stand before them all, as a `prefix` prompt does."""

    def __init__(self, template: Template, tokenizer: Any, max_length: int, answer_room: int = 0) -> None:
        """`answer_room` are the tokens that an answer is left room for at least. Raises InputError where the template
        asks for a separator that the tokenizer does not have."""
        self.template, self.tokenizer, self.max_length = template, tokenizer, max_length
        self.answer_room = answer_room
        self.cut = 0  # texts of which something had to be cut
        self.special = Special.of(tokenizer, pair=bool(template.count("border")))
        separator = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
        if template.count("separator") and separator is None:
            raise InputError(
                "head.template has [SEP], and this backbone's tokenizer has no separator: write another mark."
            )
        self.separator = [separator]
        self.around = len(self.special.before + self.special.between + self.special.behind)
        self.around += template.count("separator")  # tokens beside those of words, fields and the answer
        self.cuttable = [
            (chunk, part)
            for chunk, parts in enumerate(template.chunks)
            for part, one in enumerate(parts)
            if one.kind == "field" and "whole" not in one.changes
        ]  # where fields stand that may be cut

    def fill(self, texts: Sequence[Mapping[str, str]], answers: Sequence[Sequence[int]]) -> list[Filled]:
        """`texts`, fields by their names, each with the ids of its `answers` in the answer's place. Raises InputError
        where fields are left no room."""
        columns = [self._tokenized(number, texts) for number in range(len(self.template.chunks))]
        filled = []
        for number, answer in enumerate(answers):
            pieces = [column[number] for column in columns]
            filled.append(self._put_together(self._cut(pieces, len(answer), texts[number]), answer))
        return filled

    def _tokenized(self, number: int, texts: Sequence[Mapping[str, str]]) -> list[list[list[int]]]:
        """Of each of `texts` the tokens of each part of a chunk of the template, whose text is tokenized as one."""
        chunk = self.template.chunks[number]
        if not chunk[0].is_text:
            return [[[]] for _ in texts]
        written = [[part.written(one) for part in chunk] for one in texts]
        if self._opens_segment(number):  # no space before its first word
            for one in written:
                _strip_left(one)
        found = []
        for begin in range(0, len(texts), CHUNK):
            some = written[begin : begin + CHUNK]
            encodings = self.tokenizer(
                ["".join(one).rstrip() for one in some], add_special_tokens=False, verbose=False
            )
            found += [_by_part(encoding, one) for encoding, one in zip(encodings.encodings, some, strict=True)]
        return found

    def _opens_segment(self, number: int) -> bool:
        """Whether nothing stands before a chunk in its segment but places for virtual tokens."""
        kinds = [chunk[0].kind for chunk in self.template.chunks[:number]]
        own = kinds[len(kinds) - kinds[::-1].index("border") :] if "border" in kinds else kinds
        return all(kind == "rows" for kind in own)

    def _cut(self, pieces: list[list[list[int]]], answer: int, texts: Mapping[str, str]) -> list[list[int]]:
        """The tokens of each chunk, fields cut to what room there is beside an answer of so many tokens."""
        where = self.cuttable
        lengths = np.array([len(pieces[chunk][part]) for chunk, part in where], dtype=int)
        answer = max(answer, self.answer_room)
        fixed = self.around + answer + sum(len(tokens) for piece in pieces for tokens in piece) - int(lengths.sum())
        room = self.max_length - fixed
        if room < len(where) and room < lengths.sum():
            shown = next(iter(texts.values()), "")[:60]
            raise InputError(
                f"task.max_length={self.max_length} leaves no room for the fields of head.template beside what is "
                f"never cut, {fixed} tokens (the example that begins {shown!r}): make it {fixed + 2 * len(where)} or "
                "more, or shorten the template."
            )
        self.cut += int(lengths.sum() > room)
        for (chunk, part), length in zip(where, _fitting(lengths, room).tolist(), strict=True):
            pieces[chunk][part] = pieces[chunk][part][:length]
        return [[token for tokens in piece for token in tokens] for piece in pieces]

    def _put_together(self, pieces: Sequence[Sequence[int]], answer: Sequence[int]) -> Filled:
        filled, special = Filled(), self.special
        filled.add(special.before, special.types[0])
        kind, opened = special.types[0], False
        for (part, *_), tokens in zip(self.template.chunks, pieces, strict=True):
            if part.kind == "rows":
                filled.rows += [len(filled.tokens) if opened else 0] * part.rows
            elif part.kind == "border":
                filled.infix = len(filled.tokens)
                filled.add(special.between, special.types[0])
                kind = special.types[1]
            elif part.kind == "mask":
                filled.masks = list(range(len(filled.tokens), len(filled.tokens) + len(answer)))
                filled.add(answer, kind)
            else:
                filled.add(self.separator if part.kind == "separator" else tokens, kind)
            opened = opened or part.kind != "rows"
        filled.infix = len(filled.tokens) if filled.infix is None else filled.infix
        filled.add(special.behind, kind)
        return filled


def _strip_left(written: list[str]) -> None:
    """Take the space from the front of a text that is in parts."""
    for number, text in enumerate(written):
        written[number] = text.lstrip()
        if written[number]:
            return


def _by_part(encoding: Any, written: Sequence[str]) -> list[list[int]]:
    """The tokens of a text by the part, of those that it is `written` in, that holds a token's last character: some
    tokenizers count the space before a word to it."""
    ends = list(accumulate(len(text) for text in written))
    last = np.array([end - 1 for _, end in encoding.offsets], dtype=int)
    owners = np.searchsorted(ends, last, side="right").clip(max=len(written) - 1)
    found: list[list[int]] = [[] for _ in written]
    for token, owner in zip(encoding.ids, owners.tolist(), strict=True):
        found[owner].append(token)
    return found


def _fitting(lengths: np.ndarray, room: int) -> np.ndarray:
    """`lengths` that together have at most `room`, the longest cut first, down to the next longest, and so on."""
    if lengths.sum() <= room:
        return lengths
    limit = next(limit for limit in range(room, -1, -1) if np.minimum(lengths, limit).sum() <= room)
    kept = np.minimum(lengths, limit)
    left = room - kept.sum()
    more = np.flatnonzero(lengths > limit)[:left]
    kept[more] += 1
    return kept
