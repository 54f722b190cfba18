"""Masked language modelling (Devlin et al., 2019, BERT, section 3.1): 15 % of the tokens are to be said; 80 % of these
are masked, 10 % are another token drawn from the vocabulary, and 10 % stay. Without BERT's next sentences."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from ptuning.backbones.objectives.base import IGNORED, Example, Objective, Vocabulary
from ptuning.errors import InputError

SHARE, MASKED, RANDOM = 0.15, 0.8, 0.1


class MaskedLM(Objective):
    architecture = "encoder"

    def __init__(self, vocabulary: Vocabulary, length: int) -> None:
        super().__init__(vocabulary, length)
        if vocabulary.mask is None:
            raise InputError(
                "backbone.adaptation.objective=masked_lm needs a tokenizer with a mask: choose another backbone.id."
            )

    def example(self, window: Tensor, draws: torch.Generator) -> Example:
        asked = torch.randperm(len(window), generator=draws)[: max(1, round(SHARE * len(window)))]
        fate = torch.rand(len(asked), generator=draws)
        others = torch.randint(self.vocabulary.size, (len(asked),), generator=draws)
        inputs, labels = window.clone(), torch.full_like(window, IGNORED)
        labels[asked] = window[asked]
        replaced = torch.where(fate < MASKED + RANDOM, others, window[asked])
        assert self.vocabulary.mask is not None
        inputs[asked] = replaced.masked_fill(fate < MASKED, self.vocabulary.mask)
        return Example(self.vocabulary.framed(inputs.tolist()), self.vocabulary.silently_framed(labels.tolist()))

    def loss(self, model: PreTrainedModel, batch: Mapping[str, Tensor]) -> Tensor:
        """With logits of the tokens alone that are to be said: the vocabulary is most of the work."""
        inputs, asked = dict(batch), batch["labels"] != IGNORED
        labels = inputs.pop("labels")[asked]
        select = model.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][asked],))
        try:
            return cross_entropy(model(**inputs).logits, labels)
        finally:
            select.remove()
