"""Span corruption (Raffel et al., 2020, section 3.1.4), what T5 was pre-trained for: 15 % of the tokens are taken out,
in spans of 3 on average; a sentinel stands in the place of each, and the decoder is to say each sentinel and what
stood there."""

from __future__ import annotations

import torch
from torch import Tensor

from ptuning.backbones.objectives.base import Example, Objective, Vocabulary
from ptuning.errors import InputError

SHARE, MEAN_SPAN = 0.15, 3


class SpanCorruption(Objective):
    architecture = "encoder_decoder"

    def __init__(self, vocabulary: Vocabulary, length: int) -> None:
        super().__init__(vocabulary, length)
        self.removed = max(1, round(SHARE * self.window))  # tokens
        self.spans = max(1, round(self.removed / MEAN_SPAN))
        if self.spans > len(vocabulary.sentinels):
            raise InputError(
                f"backbone.adaptation.length={length} takes out {self.spans} spans, and the tokenizer has "
                f"{len(vocabulary.sentinels)} sentinels (<extra_id_0>, ...): shorten it, or choose another objective."
            )

    def example(self, window: Tensor, draws: torch.Generator) -> Example:
        kept = _lengths(len(window) - self.removed, self.spans, draws)
        removed = _lengths(self.removed, self.spans, draws)
        inputs: list[int] = []
        labels: list[int] = []
        rest = window.tolist()
        for sentinel, stays, goes in zip(self.vocabulary.sentinels, kept, removed, strict=False):
            inputs += [*rest[:stays], sentinel]
            labels += [sentinel, *rest[stays : stays + goes]]
            rest = rest[stays + goes :]
        return Example(self.vocabulary.framed(inputs), self.vocabulary.framed(labels))


def _lengths(tokens: int, parts: int, draws: torch.Generator) -> list[int]:
    """Those of `parts` parts, each of one token or more, into which so many tokens fall at random."""
    cuts = sorted((torch.randperm(tokens - 1, generator=draws)[: parts - 1] + 1).tolist())
    return [end - start for start, end in zip([0, *cuts], [*cuts, tokens], strict=True)]
