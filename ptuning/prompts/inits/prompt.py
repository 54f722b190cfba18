"""The trained prompt of a source run, or the weighted mean of several: multi-task P-Tuning v2 (Liu et al.,
2022, section 3.3), SPoT (Vu et al., 2022), PPT (Gu et al., 2022), a warm start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from ptuning.config import NOT_HASHED
from ptuning.errors import InputError
from ptuning.prompts.inits.base import Init, width

if TYPE_CHECKING:
    from ptuning.backbones.sites import Site


class Prompt(Init):
    class Config(Init.Config):
        # Neither counts by itself: an identity holds the source runs, each with what it starts from.
        name: Annotated[str, NOT_HASHED] = Field(description="a file in ptuning/prompts/inits")
        start: Annotated[dict[str, Any], NOT_HASHED] = Field(
            description="the init of source runs that do not say it themselves"
        )

    uses_sources = True

    def input_prompt(self, length: int) -> Tensor:
        return self._mean(length, self.context.backbone.embedding)

    def deep_prompt(self, length: int, sites: Sequence[Site]) -> Tensor:
        return self._mean(length, width(sites))

    def _mean(self, length: int, width: int) -> Tensor:
        sources = self.context.sources
        for source in sources:
            if source.prompt.shape != (length, width):
                raise InputError(
                    f"the prompt of the source {source.name} has the shape {tuple(source.prompt.shape)}, and this "
                    f"run's {(length, width)}: give both the same prompt.length and layers."
                )
        if len(sources) == 1:
            return sources[0].prompt.clone()
        total = sum(source.weight for source in sources)
        return torch.stack([source.prompt * (source.weight / total) for source in sources]).sum(dim=0)
