"""Keys and values of a text, as the frozen backbone computes them at each prompted site: the prompt begins as if the
text stood before the sequence (Li and Liang, 2021, section 7.4: activations of real words).

An MLP that produces the prompt is first fitted to them, as in the released code: 500 steps of Adam at 1e-4 on the
squared error.

The prompt's rows are the text's first tokens, with those that the tokenizer puts around it. In an encoder the text
sees itself alone, where a text in the sequence would see the sequence too. An encoder-decoder's decoder is given the
text again, a token later, as what it has said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ptuning.config import ADDED
from ptuning.errors import InputError
from ptuning.prompts.deep import SitePrompt
from ptuning.prompts.inits.base import Init
from ptuning.prompts.inits.torch_default import TorchDefault
from ptuning.prompts.placement import Batch

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone
    from ptuning.backbones.sites import Site


class Activations(TorchDefault):
    class Config(Init.Config):
        text: str = Field(min_length=1, description="what is read; it needs as many tokens as the prompt")
        fit_steps: Annotated[int, ADDED] = Field(
            default=500, ge=0, description="in which a reparameterization that produces the prompt is fitted to it"
        )
        fit_lr: Annotated[float, ADDED] = Field(default=1e-4, gt=0, description="of the fitting, by Adam")

    config: Config
    kinds = ("deep",)
    is_distribution = False  # weights that are fitted are drawn as torch draws them
    can_be_fitted = True

    def fit(self, produce: Callable[[], Tensor], weights: Iterable[nn.Parameter], wanted: Tensor) -> None:
        optimizer = torch.optim.Adam(weights, lr=self.config.fit_lr)
        for _ in range(self.config.fit_steps):
            optimizer.zero_grad()
            functional.mse_loss(produce(), wanted).backward()
            optimizer.step()
        optimizer.zero_grad()

    def deep_prompt(self, length: int, sites: Sequence[Site]) -> Tensor:
        backbone = self.context.backbone
        tokens = backbone.tokenizer(self.config.text)["input_ids"]
        if len(tokens) < length:
            raise InputError(
                f"prompt.init.text has {len(tokens)} tokens, fewer than prompt.length={length}: give a longer text, "
                f"or set prompt.length to {len(tokens)} or less."
            )
        recorders = {site.key: _Recorder.of(site, backbone.device) for site in sites}
        batch = _batch(tokens[:length], backbone)
        training = backbone.training
        backbone.eval()
        try:
            with torch.no_grad(), backbone.attending(recorders):
                hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
                if any(site.stack != backbone.stack for site in sites):
                    ids, ends = batch.input_ids, np.array([0, length])
                    said = torch.from_numpy(backbone.whole_text_reads(ids[0].cpu().numpy(), ends)[1]).to(ids.device)
                    backbone.decode(said, torch.ones_like(said), hidden, batch)
        finally:
            backbone.train(training)
        return torch.cat([recorder.rows() for recorder in recorders.values()], dim=1)


class _Recorder(SitePrompt):
    """A prompt of no rows, which keeps the keys and values of the site that it stands at."""

    @classmethod
    def of(cls, site: Site, device: torch.device) -> _Recorder:
        nothing = torch.empty(1, site.kv_heads, 0, site.head_dim, device=device)
        return cls(nothing, nothing)

    def prepend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        self.__dict__["seen"] = key, value
        return key, value

    def rows(self) -> Tensor:
        """`[P, 2 x A x D]`, keys before values."""
        pair = torch.stack(self.__dict__["seen"])[:, 0]  # [2, A, P, D]
        return pair.permute(2, 0, 1, 3).flatten(1).float().cpu()


def _batch(tokens: Sequence[int], backbone: Backbone) -> Batch:
    """One text by itself."""
    ids = torch.tensor([tokens], device=backbone.device)
    positions = torch.arange(len(tokens), device=backbone.device)[None] + backbone.first_position
    return Batch(ids, ids * 0, positions, torch.ones_like(ids), ids * 0 - 1, ids[:, 0] * 0)
