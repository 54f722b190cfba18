"""What a method is: what it trains, and how that joins a batch. A subclass lives in a file named after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ptuning.config import Schema
from ptuning.layout import Batch, Layout

if TYPE_CHECKING:
    from ptuning.backbone import Backbone

DeepRows = dict[int, Tensor]  # layer (1-based) -> [2, B, A, P, D], keys then values


class Method(nn.Module):
    """A method without a prompt: the backbone as it is. Subclasses override what they add."""

    Prompt: ClassVar[type[Schema] | None] = None  # the schema of the `prompt` config keys; None: there are none
    trains_backbone: ClassVar[bool] = False

    layout = Layout()

    def __init__(self, prompt: Any, backbone: Backbone, random: torch.Generator, noise: torch.Generator) -> None:
        """`prompt` is a checked `Prompt`; `random` draws the initial weights, `noise` the dropout."""
        super().__init__()

    def embed(self, backbone: Backbone, batch: Batch) -> tuple[Tensor, Tensor]:
        """What enters the backbone: embeddings `[B, T, E]` and token types `[B, T]`."""
        return backbone.words(batch), batch.token_type_ids

    def deep_prompts(self, rows: int) -> DeepRows:
        """The keys and values that each prompted layer's attention sees beside its own, for `rows` examples."""
        return {}

    def folded(self) -> dict[str, Tensor]:
        """What is left of the trained prompt after training: it loads into the same method without
        reparameterization, and predicts the same."""
        return {}

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Take back what `folded` gave."""
        self.load_state_dict(state)
