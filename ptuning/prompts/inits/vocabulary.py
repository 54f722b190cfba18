"""Embeddings of tokens sampled from the most frequent ones of the vocabulary (Lester et al., 2021, section 3.2).

No counts are at hand, so the order of token ids stands for that of frequency, as in their code (the first 5,000 of
T5's vocabulary). So it is, more or less, in vocabularies that were built by frequency (SentencePiece, WordPiece) or by
merges (BPE). Special and unused tokens are left out. Tokens are drawn with replacement, as there.
"""

from __future__ import annotations

import re

import torch
from pydantic import Field
from torch import Tensor

from ptuning.errors import InputError
from ptuning.prompts.inits.base import Init

UNUSED = re.compile(r"\[unused\d+\]|<extra_id_\d+>|<unused\d+>|madeupword\d+")


class Vocabulary(Init):
    class Config(Init.Config):
        most_frequent: int = Field(ge=1, description="sample from so many tokens")

    config: Config
    kinds = ("input",)

    def input_prompt(self, length: int) -> Tensor:
        return self.sampled(length)

    def sampled(self, count: int) -> Tensor:
        """`[count, E]`. Raises InputError where the vocabulary has fewer tokens than are to be sampled from."""
        tokenizer = self.context.backbone.tokenizer
        special, names = set(tokenizer.all_special_ids), tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        known = [i for i, name in enumerate(names) if i not in special and not UNUSED.fullmatch(name or "")]
        if self.config.most_frequent > len(known):
            raise InputError(
                f"prompt.init.most_frequent={self.config.most_frequent} is more than the {len(known)} tokens of this "
                "backbone's vocabulary: set it lower."
            )
        chosen = torch.randint(self.config.most_frequent, (count,), generator=self.context.random)
        return self.context.embeddings([known[i] for i in chosen.tolist()])
