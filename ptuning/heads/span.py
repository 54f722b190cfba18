"""Extractive question answering: a passage in overlapping windows, and the likeliest parts of it (Devlin et al., 2019,
section 4.2; the same windows and n-best list as the P-Tuning v2 code).

An answer is learned in each window that holds the whole of it; in the others, and where there is none, the target is
[CLS]. The score of an answer is the sum of its first and last token's logits; that of no answer the least, over the
windows, of [CLS]'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ptuning.data.encoded import Encoded
from ptuning.data.tokenizing import windowed
from ptuning.heads.base import Head, without_bias
from ptuning.tasks.kinds.examples import Question
from ptuning.tasks.kinds.qa import QA, Candidates


class Span(Head):
    """For each token how likely it is the first, and the last, of the answer; cross-entropy over the tokens, the mean
    of the two."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        without_bias(self.linear)  # it is the same at all tokens

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, T, 2]`, as low as can be at padding."""
        logits = self.linear(self.dropout(hidden.float(), dropout_mask))
        return logits.masked_fill(~real[..., None], torch.finfo(logits.dtype).min)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """`targets` `[B, 2]`: the first and the last token."""
        return functional.cross_entropy(logits, targets, reduction="sum")

    def weight(self, targets: Tensor) -> float:
        """Two losses an item."""
        return targets.numel()

    def answers(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """The logits of each token, `[T, 2]`."""
        found = logits.cpu().numpy()
        return [one[:length].copy() for one, length in zip(found, lengths, strict=True)]

    @staticmethod
    def encode(task: QA, examples: Sequence[Question], tokenizer: Any, max_length: int) -> Encoded:
        """`places` are the characters of the passage that a token stands for, `[all tokens, 2]`, -1 elsewhere."""
        pairs = [(example.question.strip(), example.context) for example in examples]
        found = windowed(pairs, tokenizer, max_length, task.stride, "second")
        places = np.where(
            ((found.segments == 1) & (found.offsets[:, 1] > found.offsets[:, 0]))[:, None], found.offsets, -1
        )
        starts = found.starts
        targets = [
            _target(places[starts[item] : starts[item + 1]], examples[text]) for item, text in enumerate(found.texts)
        ]
        return Encoded(
            tokens=found.tokens,
            types=found.types,
            starts=starts,
            infix=found.infix,
            targets=np.array(targets).ravel(),
            target_starts=2 * np.arange(len(targets) + 1),
            owners=found.texts,
            places=places,
        )

    @staticmethod
    def collect(
        task: QA, examples: Sequence[Question], encoded: Encoded, found: Sequence[np.ndarray]
    ) -> list[Candidates]:
        """The n-best list of each question, over all of its windows. `found`: the logits `[T, 2]` of each item's
        tokens as the first and as the last of the answer."""
        assert encoded.places is not None
        spans: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
        nulls: dict[int, float] = {}
        for item, logits in enumerate(found):
            owner = int(encoded.owners[item])
            places = encoded.places[encoded.starts[item] : encoded.starts[item + 1]]
            spans[owner] += _best(logits, places, task.n_best, task.max_answer)
            nulls[owner] = min(nulls.get(owner, np.inf), float(logits[0].sum()))
        return [
            Candidates(tuple(sorted(spans[owner], key=lambda span: -span[2])[: task.n_best]), null)
            for owner, null in nulls.items()
        ]


def _target(places: np.ndarray, question: Question) -> tuple[int, int]:
    """The first and last token of the answer in a window, 0 and 0 ([CLS]) where it does not hold the whole of it."""
    if not question.answers:
        return 0, 0
    text, begin = question.answers[0]
    end = begin + len(text)
    real = places[:, 0] >= 0
    inside = np.flatnonzero(real & (places[:, 1] > begin) & (places[:, 0] < end))
    if not len(inside) or places[real][0, 0] > begin or places[real][-1, 1] < end:
        return 0, 0
    return int(inside[0]), int(inside[-1])


def _best(logits: np.ndarray, places: np.ndarray, n_best: int, max_answer: int) -> list[tuple[int, int, float]]:
    """The likeliest spans of one window: of the `n_best` likeliest first and last tokens those pairs that stand in the
    passage, in order, at most `max_answer` tokens apart."""
    firsts, lasts = (np.argsort(-logits[:, side], kind="stable")[:n_best] for side in (0, 1))
    first, last = (side.ravel() for side in np.meshgrid(firsts, lasts, indexing="ij"))
    fits = (places[first, 0] >= 0) & (places[last, 0] >= 0) & (first <= last) & (last - first < max_answer)
    first, last = first[fits], last[fits]
    scores = logits[first, 0] + logits[last, 1]
    best = np.argsort(-scores, kind="stable")[:n_best]
    return [
        (int(places[a, 0]), int(places[b, 1]), float(score))
        for a, b, score in zip(first[best], last[best], scores[best], strict=True)
    ]
