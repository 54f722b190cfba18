"""Embeddings of the class labels' words (Lester et al., 2021, section 3.2): a row a label, of several sub-words their
mean; the rows left over are sampled from the vocabulary, as there."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ptuning.errors import InputError
from ptuning.prompts.inits.vocabulary import Vocabulary


class ClassLabels(Vocabulary):
    class Config(Vocabulary.Config):
        words: list[str] | None = Field(min_length=1, description="of the labels; null: the task's own names of them")

    config: Config

    def input_prompt(self, length: int) -> Tensor:
        words = self.config.words or [label.replace("_", " ") for label in self.context.labels]
        if not words:
            raise InputError(
                "prompt.init.name=class_labels starts from labels, and this run's task has none: name words in "
                "prompt.init.words, or choose another init."
            )
        if len(words) > length:
            raise InputError(
                f"prompt.length={length} is too short for the {len(words)} class labels: make it {len(words)} or more."
            )
        rows = torch.stack([self._mean(word) for word in words])
        return torch.cat([rows, self.sampled(length - len(words))])

    def _mean(self, word: str) -> Tensor:
        """`[E]`."""
        backbone = self.context.backbone
        ids = backbone.tokenizer(word, add_special_tokens=False)["input_ids"]
        if not ids:
            raise InputError(f"the class label {word!r} has no tokens: name its words in prompt.init.words.")
        return self.context.embeddings(ids).mean(dim=0)
