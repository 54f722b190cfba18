"""Extractive question answering: a passage in overlapping windows, and the likeliest parts of it (Devlin et al., 2019,
section 4.2; the same windows and n-best list as the P-Tuning v2 code).

An answer is learned in each window that holds the whole of it; in the others, and where there is none, the target is
[CLS]. The score of an answer is the sum of its first and last token's logits; that of no answer the least, over the
windows, of [CLS]'s.

As in the P-Tuning v2 authors' code there is no dropout before the linear layer. Differs from it: their padding takes
part in the softmax over positions, with a logit like any other; here it is masked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ptuning.data.encoded import Encoded
from ptuning.data.tokenizing import windowed
from ptuning.heads.base import Head, HeadContext, linear, without_bias
from ptuning.seeds import Streams
from ptuning.tasks.kinds.examples import Question
from ptuning.tasks.kinds.qa import QA, Candidates


class Span(Head):
    """For each token how likely it is the first, and the last, of the answer; cross-entropy over the tokens, the mean
    of the two."""

    usual_dropout = 0.0
    peft_task = "QUESTION_ANS"
    transformers_names: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "bert": {"linear.": "qa_outputs."},
        "roberta": {"linear.": "qa_outputs."},
    }

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        scores = linear(context.backbone.hidden, 2, context.streams.initial("head"))
        self.linear = without_bias(scores)  # it is the same at all tokens

    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """Of each token's state, `[B, T, H]`."""
        return streams.keep_mask("head", step, self.dropout.rate, (sequences, width, self.linear.in_features))

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

    def predictions(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """The logits of each token, `[T, 2]`."""
        return [one[:length].copy() for one, length in zip(logits.cpu().numpy(), lengths, strict=True)]

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Question]) -> Encoded:
        """`places` are the characters of the passage that a token stands for, `[all tokens, 2]`, -1 elsewhere."""
        pairs = [(example.question.strip(), example.context) for example in examples]
        wheres = [example.where for example in examples]
        windows = windowed(pairs, context.tokenizer, context.max_length, context.task.stride, "second", wheres)
        places = np.where(
            ((windows.segments == 1) & (windows.offsets[:, 1] > windows.offsets[:, 0]))[:, None], windows.offsets, -1
        )
        starts = windows.starts
        targets = [
            _target(places[starts[item] : starts[item + 1]], examples[text]) for item, text in enumerate(windows.texts)
        ]
        return Encoded(
            tokens=windows.tokens,
            types=windows.types,
            starts=starts,
            infix=windows.infix,
            targets=np.array(targets).ravel(),
            target_starts=2 * np.arange(len(targets) + 1),
            owners=windows.texts,
            places=places,
        )

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Question], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> list[Candidates]:
        """The n-best list of each question, over all of its windows. `predictions`: the logits `[T, 2]` of each item's
        tokens as the first and as the last of the answer."""
        assert encoded.places is not None
        task = cast("QA", context.task)
        spans: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
        nulls: dict[int, float] = {}
        for item, logits in enumerate(predictions):
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
