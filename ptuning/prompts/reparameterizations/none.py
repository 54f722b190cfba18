"""No reparameterization: the prompt is the parameter. What any trained prompt is folded to."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ptuning.prompts.reparameterizations.base import Draw, Reparameterization


class NoReparameterization(Reparameterization):
    starts_from_prompt = True

    def __init__(
        self,
        config: Reparameterization.Config,
        length: int,
        width: int,
        input_width: int,
        start: Callable[[int], Tensor],
        init: Draw,
    ) -> None:
        super().__init__(config, length, width, input_width, start, init)
        self.prompt = nn.Parameter(start(length))

    def forward(self, dropout_mask: Tensor | None = None) -> Tensor:
        return self.prompt
