"""Causal language modelling: every token is to be said, given those before it."""

from __future__ import annotations

import torch
from torch import Tensor

from ptuning.backbones.objectives.base import Example, Objective


class CausalLM(Objective):
    architecture = "decoder"

    def example(self, window: Tensor, draws: torch.Generator) -> Example:
        tokens = window.tolist()
        return Example(self.vocabulary.framed(tokens), self.vocabulary.silently_framed(tokens))
