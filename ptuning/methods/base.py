"""What a method is: what it trains, and how that joins a batch. A subclass lives in a file named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ptuning.config import Schema
from ptuning.prompts.deep import DeepPrompt
from ptuning.prompts.placement import Batch, Layout
from ptuning.seeds import Streams

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone


class Method(nn.Module):
    """A method without a prompt: the backbone as it is. Subclasses override what they add."""

    Prompt: ClassVar[type[Schema] | None] = None  # the schema of the `prompt` config keys; None: there are none
    trains_backbone: ClassVar[bool] = False

    layout = Layout()
    first_layer = 1  # the lowest layer whose input or attention the method changes

    def __init__(self, prompt: Any, backbone: Backbone, random: torch.Generator) -> None:
        """`prompt` is a checked `Prompt`; `random` draws the initial weights."""
        super().__init__()

    def dropout_mask(self, streams: Streams, sequences: int) -> Tensor | None:
        """What dropout leaves of the prompt in each of the `sequences` of a step's whole batch, `[B, …]`: those of the
        sequences in a pass come back to `embed` and `deep_prompt`. None without dropout."""
        return None

    def embed(
        self, backbone: Backbone, batch: Batch, words: Tensor, dropout_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What enters the backbone, embeddings `[B, T, E]` and token types `[B, T]`, from the word embeddings."""
        return words, batch.token_type_ids

    def deep_prompt(self, dropout_mask: Tensor | None = None) -> DeepPrompt | None:
        """What the prompted layers' attention sees beside its own."""
        return None

    def folded(self) -> dict[str, Tensor]:
        """What is left of the trained prompt after training: it loads into the same method without
        reparameterization, and predicts the same."""
        return {}

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Take back what `folded` gave."""
        self.load_state_dict(state)
