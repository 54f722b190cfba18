"""Where a language model says an answer to a text in a template, and where that is read: one class an architecture.

An answer is one or more tokens of the vocabulary, scored one by one, each where it would be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ptuning.data.encoded import IGNORED, Encoded
from ptuning.data.filling import Filled, Filler, Special
from ptuning.data.templates import Template
from ptuning.errors import InputError


@dataclass(frozen=True)
class Asked:
    """Texts with places for answers. reads: `[S, K]`, the indices of the tokens that are read, the last one repeated
    where an answer is shorter than others; decoder: `[S, U]`, what the decoder is given, where `reads` are of that."""

    texts: list[Filled]
    reads: np.ndarray
    decoder: np.ndarray | None = None

    def encoded(
        self, targets: np.ndarray, choices: int = 1, answers: Sequence[Sequence[int]] | None = None
    ) -> Encoded:
        """As items of `choices` texts each, with a target each; `answers`: the tokens that each text is scored on,
        where it has its own."""
        lengths, width = [len(one.tokens) for one in self.texts], self.reads.shape[1]
        return Encoded(
            tokens=np.array([token for one in self.texts for token in one.tokens], dtype=np.int32),
            types=np.array([kind for one in self.texts for kind in one.types], dtype=np.int8),
            starts=np.concatenate([[0], np.cumsum(lengths)]),
            infix=np.array([one.infix for one in self.texts]),
            targets=targets,
            target_starts=np.arange(len(targets) + 1),
            owners=np.arange(len(targets)),
            choices=choices,
            reads=self.reads,
            rows=np.array([one.rows for one in self.texts]) if self.texts[0].rows else None,
            answers=None if answers is None else _filled(answers, width),
            decoder=self.decoder,
        )


class Masked:
    """Encoders: as many mask tokens as the answer has tokens stand in its place, and each is read at its own."""

    def __init__(
        self, template: Template, tokenizer: Any, max_length: int, start: int | None = None, answer_room: int = 0
    ) -> None:
        """`start` is what a decoder is given first, where there are two stacks; `answer_room` are the tokens that room
        is left for in the text, where answers that stand in it are shorter. Raises InputError for a template that this
        architecture cannot answer."""
        self.tokenizer = tokenizer
        self.opens: list[int] = []  # what a decoder of its own is given before the answer
        self._check_answer(template)
        self.filler = Filler(self._said(template), tokenizer, max_length, answer_room)

    @property
    def opens_with_space(self) -> bool:
        """Whether an answer is a word of its own in its text."""
        return self.filler.template.space_before_mask()

    def ask(self, texts: Sequence[Mapping[str, str]], answers: Sequence[Sequence[int]]) -> Asked:
        """`texts`, fields by their names, each asked for the tokens of its own of the `answers`."""
        filled = self.filler.fill(texts, [[self.tokenizer.mask_token_id] * len(one) for one in answers])
        return Asked(filled, _rectangle([one.masks for one in filled]))

    def _check_answer(self, template: Template) -> None:
        if not template.count("mask"):
            raise InputError("head.template has no <mask>, the answer's place: write it where the answer would stand.")
        if getattr(self.tokenizer, "mask_token_id", None) is None:
            raise InputError(
                "head.template is refused: this backbone's tokenizer has no mask token, where an encoder answers: "
                "choose another backbone, or another head."
            )

    def _said(self, template: Template) -> Template:
        return template


class Next(Masked):
    """Decoders: the answer is what comes next, at the end; its first token is read at the token before it, the others
    each at the one before."""

    def ask(self, texts: Sequence[Mapping[str, str]], answers: Sequence[Sequence[int]]) -> Asked:
        filled = self.filler.fill(texts, [list(one[:-1]) for one in answers])
        ends = [
            len(one.tokens) - len(self.filler.special.behind) - len(answer)
            for one, answer in zip(filled, answers, strict=True)
        ]
        if not self.filler.template.count("border"):  # an infix stands before the one token that has seen all
            filled = [replace(one, infix=end) for one, end in zip(filled, ends, strict=True)]
        return Asked(
            filled, _rectangle([range(end, end + len(answer)) for end, answer in zip(ends, answers, strict=True)])
        )

    def _check_answer(self, template: Template) -> None:
        if not template.count("mask"):
            raise InputError("head.template has no <mask>, the answer's place: a decoder's template ends with it.")

    def _said(self, template: Template) -> Template:
        """Without punctuation behind the answer, which a decoder would not have seen."""
        try:
            said = template.before_mask()
        except ValueError:
            raise InputError(
                "head.template has text behind <mask>, and a decoder answers at the end: end it with <mask>."
            ) from None
        before = [part for part in said.parts[:-1] if part.kind != "text" or part.text.strip()]
        if before and before[-1].kind == "rows":
            raise InputError(
                "head.template has a virtual token right before <mask>, which a decoder would read in a word's place: "
                "write a word between the two."
            )
        if not before:
            raise InputError("head.template has no text before <mask>, and a decoder answers a text: write one.")
        return said


class Decoded(Masked):
    """Encoder-decoders: the encoder reads the text, the decoder says the answer, as it would a whole text-to-text
    answer (Lester et al., 2021, section 2). Where the template has a place for it, T5's first sentinel stands there,
    and is what the decoder says before the answer, as in T5's pre-training and PPT; BART's mask is not said again."""

    def __init__(
        self, template: Template, tokenizer: Any, max_length: int, start: int | None = None, answer_room: int = 0
    ) -> None:
        self.place = _sentinel(tokenizer)
        super().__init__(template, tokenizer, max_length)
        self.opens = [] if start is None else [start]
        self.opens += Special.of(tokenizer, pair=False).before
        if template.count("mask") and self.place != [tokenizer.mask_token_id]:
            self.opens += self.place

    @property
    def opens_with_space(self) -> bool:
        return False

    def ask(self, texts: Sequence[Mapping[str, str]], answers: Sequence[Sequence[int]]) -> Asked:
        filled = self.filler.fill(texts, [self.place] * len(answers))
        given = [[*self.opens, *answer[:-1]] for answer in answers]
        width = max(map(len, given))
        decoder = np.array([one + [IGNORED] * (width - len(one)) for one in given])
        return Asked(filled, _rectangle([range(len(self.opens) - 1, len(one)) for one in given]), decoder)

    def _check_answer(self, template: Template) -> None:
        if template.count("mask") and not self.place:
            raise InputError(
                "head.template has <mask>, and this backbone's tokenizer has no sentinels and no mask token for it: "
                "remove it, since the decoder answers without one too."
            )


PLACES: dict[str, type[Masked]] = {"encoder": Masked, "decoder": Next, "encoder_decoder": Decoded}  # by architecture


def _sentinel(tokenizer: Any) -> list[int]:
    """The token, or none, that stands for a gap in a text."""
    found = tokenizer.get_vocab().get("<extra_id_0>", tokenizer.mask_token_id)
    return [] if found is None else [found]


def _rectangle(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """`[S, K]`, the last number of a shorter row repeated."""
    width = max(map(len, rows))
    return np.array([[*row, *[row[-1]] * (width - len(row))] for row in rows])


def _filled(rows: Sequence[Sequence[int]], width: int) -> np.ndarray:
    return np.array([[*row, *[IGNORED] * (width - len(row))] for row in rows])
