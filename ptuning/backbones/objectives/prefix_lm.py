"""Prefix language modelling (Raffel et al., 2020, section 3.2.3): the encoder is given the beginning of a text, up to
a place drawn anew each time, and the decoder is to say how it goes on. What Prompt Tuning's T5s were adapted by
(Lester et al., 2021, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ptuning.backbones.objectives.base import Example, Objective


class PrefixLM(Objective):
    architecture = "encoder_decoder"

    def example(self, window: Tensor, draws: torch.Generator) -> Example:
        split = int(torch.randint(1, len(window), (1,), generator=draws))
        tokens = window.tolist()
        return Example(self.vocabulary.framed(tokens[:split]), self.vocabulary.framed(tokens[split:]))
