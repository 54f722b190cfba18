"""Token classification: a label a word, read and learned at the word's first token (P-Tuning v2, section 3.3).

A sentence that is too long for one sequence goes into overlapping windows, and each word belongs to that window in
which it has most context on its poorer side: nothing is cut away, in training or in scoring (the authors' code cuts).
A word of which the tokenizer leaves nothing (a lone control character) is not learned from, and counts as answered
with O. Words are read as a text with spaces between them; the authors' code has RoBERTa read a space before the first
one too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ptuning.data.encoded import IGNORED, Encoded, Sequences
from ptuning.data.tokenizing import windowed
from ptuning.heads.base import Head, HeadContext, linear
from ptuning.seeds import Streams
from ptuning.tasks.kinds.examples import Sentence


class Token(Head):
    """A label for each token; cross-entropy over those tokens that have a target."""

    peft_task = "TOKEN_CLS"
    transformers_names: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "bert": {"linear.": "classifier."},
        "roberta": {"linear.": "classifier."},
    }

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.linear = linear(context.backbone.hidden, len(context.labels), context.streams.initial("head"))

    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """Of each token's state, `[B, T, H]`."""
        return streams.keep_mask("head", step, self.dropout.rate, (sequences, width, self.linear.in_features))

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, T, labels]`."""
        return self.linear(self.dropout(hidden.float(), dropout_mask))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """`targets` `[B, K]`: a token's label, `IGNORED` where it has none."""
        flat = logits[:, : targets.shape[1]].flatten(0, 1)
        return functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORED, reduction="sum")

    def weight(self, targets: Tensor) -> float:
        """The tokens that have a target; 1 where none has, so that the loss of such a batch is 0."""
        return max(1, int((targets != IGNORED).sum()))

    def predictions(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """The likeliest label of each token, `[T]`: all logits of a large set would not fit in memory."""
        best, label = logits.float().max(dim=-1)
        labels = torch.where(best.isfinite(), label, best).cpu().numpy()
        return [one[:length] for one, length in zip(labels, lengths, strict=True)]

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Sentence]) -> Encoded:
        """`places` is the word, counted from 0 in its sentence, at that token which answers for it, -1 elsewhere."""
        pairs = [(" ".join(example.words), example.about) for example in examples]
        wheres = [example.where for example in examples]
        windows = windowed(pairs, context.tokenizer, context.max_length, context.task.stride, "first", wheres)
        owned = _owned(windows, _first_tokens(windows, examples))
        begins = np.cumsum([0, *(len(example.words) for example in examples)])
        labels = np.array(
            [label for example in examples for label in example.labels or [IGNORED] * len(example.words)]
        )
        return Encoded(
            tokens=windows.tokens,
            types=windows.types,
            starts=windows.starts,
            infix=windows.infix,
            targets=np.where(owned < 0, IGNORED, labels[owned]),
            target_starts=windows.starts,
            owners=windows.texts,
            places=np.where(owned < 0, -1, owned - begins[np.repeat(windows.texts, windows.lengths)]),
        )

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Sentence], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """The label of each word of each sentence, `[words]`; `predictions` holds those of an item's tokens, `[T]`."""
        assert encoded.places is not None
        begins = np.cumsum([0, *(len(example.words) for example in examples)])
        at = encoded.places >= 0
        word = begins[np.repeat(encoded.owners, encoded.lengths)][at] + encoded.places[at]
        labels = np.zeros(begins[-1], dtype=int)
        labels[word] = np.concatenate(predictions)[at]
        return np.split(labels, begins[1:-1])


def _first_tokens(windows: Sequences, examples: Sequence[Sentence]) -> np.ndarray:
    """At the first token of a word that word, counted through all sentences, else -1: `[all tokens]`."""
    ends = np.array([
        end + shift
        for example, shift in zip(examples, _shifts(examples), strict=True)
        for end in accumulate(len(word) + 1 for word in example.words)
    ])  # fmt: skip
    shift = np.array(_shifts(examples))[np.repeat(windows.texts, windows.lengths)]
    # A token's last character, since some tokenizers count the space before a word to its first token.
    last = windows.offsets[:, 1] - 1 + shift
    inside = (windows.segments == 0) & (windows.offsets[:, 1] > windows.offsets[:, 0])
    word = np.where(inside, np.searchsorted(ends, last, side="right"), -1)
    begin = np.where(inside, windows.offsets[:, 0] + shift, np.iinfo(np.int64).max)
    earliest = np.full(len(ends) + 1, np.iinfo(np.int64).max)
    np.minimum.at(earliest, word, begin)  # over all windows: one may begin in the middle of a word
    follows = np.concatenate([[False], word[1:] == word[:-1]])
    return np.where((begin == earliest[word]) & ~follows, word, -1)


def _shifts(examples: Sequence[Sentence]) -> list[int]:
    """Where each sentence's text begins if all are written one after another."""
    return [0, *accumulate(sum(len(word) + 1 for word in example.words) for example in examples)][:-1]


def _owned(windows: Sequences, firsts: np.ndarray) -> np.ndarray:
    """`firsts` with each word left only in the window where it has most context on its poorer side."""
    sequence = np.repeat(np.arange(len(windows.lengths)), windows.lengths)
    place = np.arange(len(firsts)) - windows.starts[sequence]
    context = np.minimum(place, windows.infix[sequence] - place)
    at = np.flatnonzero(firsts >= 0)
    order = at[np.lexsort((sequence[at], -context[at], firsts[at]))]
    best = order[np.concatenate([[True], np.diff(firsts[order]) != 0])] if len(order) else order
    owned = np.full_like(firsts, -1)
    owned[best] = firsts[best]
    return owned
