"""What objectives share: the special tokens of a tokenizer, and examples as the model takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

IGNORED = -100  # the label of a token that is not to be said, for transformers' language models


@dataclass(frozen=True)
class Vocabulary:
    """What an objective needs to know of a tokenizer."""

    size: int
    before: list[int]  # special tokens that the tokenizer puts before a text
    after: list[int]  # and behind it
    padding: int
    mask: int | None
    sentinels: list[int]  # T5's <extra_id_0>, <extra_id_1>, …

    @classmethod
    def of(cls, tokenizer: Any) -> Vocabulary:
        """What a tokenizer has: its special tokens, and as many sentinels as it counts on without a gap."""
        whole, bare = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
        start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
        known = tokenizer.get_vocab()
        names = takewhile(known.__contains__, (f"<extra_id_{number}>" for number in count()))
        return cls(
            size=len(tokenizer),
            before=whole[:start],
            after=whole[start + len(bare) :],
            padding=tokenizer.pad_token_id or 0,
            mask=tokenizer.mask_token_id,
            sentinels=[known[name] for name in names],
        )

    def framed(self, tokens: Sequence[int]) -> list[int]:
        """As the tokenizer puts a text between its special tokens."""
        return [*self.before, *tokens, *self.after]

    def silently_framed(self, labels: Sequence[int]) -> list[int]:
        """The labels of `framed` tokens: special tokens are not said."""
        return [*[IGNORED] * len(self.before), *labels, *[IGNORED] * len(self.after)]


@dataclass(frozen=True)
class Example:
    """What the model is given, and what it is to say: of an encoder-decoder the decoder's tokens, else one label a
    token, IGNORED where it says nothing."""

    inputs: list[int]
    labels: list[int]


class Objective(ABC):
    """How an example is made of a window of text. `architecture`: that of the backbones which can be trained so."""

    architecture: ClassVar[str]

    def __init__(self, vocabulary: Vocabulary, length: int) -> None:
        """Raises InputError where the vocabulary lacks what examples of `length` tokens need."""
        self.vocabulary = vocabulary
        self.window = length - len(vocabulary.framed([]))  # tokens of text in an example

    @abstractmethod
    def example(self, window: Tensor, draws: torch.Generator) -> Example:
        """That of the tokens `[window]`, with random choices out of `draws`."""

    def loss(self, model: PreTrainedModel, batch: Mapping[str, Tensor]) -> Tensor:
        """The mean over what is to be said of a `batch`, in nats: `[]`, a number."""
        found: Tensor = model(**batch).loss
        return found

    def batch(self, windows: Sequence[Tensor], draws: torch.Generator) -> dict[str, Tensor]:
        """What transformers' language models take to give a loss, each entry `[B, T]`, padded on the right."""
        examples = [self.example(window, draws) for window in windows]
        inputs = [one.inputs for one in examples]
        return {
            "input_ids": _padded(inputs, self.vocabulary.padding),
            "attention_mask": _padded([[1] * len(one) for one in inputs], 0),
            "labels": _padded([one.labels for one in examples], IGNORED),
        }


def _padded(rows: Sequence[Sequence[int]], padding: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
