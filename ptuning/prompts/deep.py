"""Deep prompts: the keys and values that attention sees beside its own, of one lane and of all lanes of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class SiteKey(NamedTuple):
    """Where a prompt can be attended to: a stack (`encoder`, `decoder` or `cross`) and a layer of it, counted from
    1. `ptuning.backbones.sites` says which sites a backbone has, and their shapes."""

    stack: str
    layer: int


@dataclass(frozen=True)
class DeepPrompt:
    """The keys and values that attention sees beside its own at some sites, made once for a lane.

    sites: ascending; values: `[sites, 2, A, P, D]`, keys then values; dropout_mask: `[sites, 2, B, A, P, D]` boolean,
    what dropout leaves of them in each of the lane's B rows, None without dropout.
    """

    sites: tuple[SiteKey, ...]
    values: Tensor
    dropout_mask: Tensor | None = None


@dataclass(frozen=True)
class SitePrompt:
    """What the attention at one site sees beside its own keys and values, for one batch.

    key, value: `[R, A, P, D]`, made once for each of R lanes; lane_of_row: `[B]`, the lane of each row of the batch
    (None: one lane for all rows, or R = B and each row its own); prompt_mask: `[B, P]` boolean, None where every row
    sees all P (rows of lanes with a shorter prompt, or none at this site, see fewer); dropout_mask:
    `[2, B, A, P, D]` boolean, what dropout leaves of each row's keys and values, None without dropout.
    """

    key: Tensor
    value: Tensor
    lane_of_row: Tensor | None = None
    prompt_mask: Tensor | None = None
    dropout_mask: Tensor | None = None

    def of_rows(self, batch: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, A, P, D]`, one a row of the batch."""
        pair = [
            one if self.lane_of_row is None else one.index_select(0, self.lane_of_row)
            for one in (self.key, self.value)
        ]
        if self.dropout_mask is not None:
            pair = [one * mask for one, mask in zip(pair, self.dropout_mask, strict=True)]
        return pair[0].to(dtype).expand(batch, -1, -1, -1), pair[1].to(dtype).expand(batch, -1, -1, -1)

    def prepend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The prompt's keys and values, then the site's own `[B, A, T, D]`: `[B, A, P + T, D]`."""
        keys, values = self.of_rows(len(key), key.dtype)
        return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)

    def repeated(self, copies: int) -> SitePrompt:
        """For a batch in which each row stands so many times, one copy after another, as beams do."""
        if copies == 1:
            return self
        lanes = self.lane_of_row
        if lanes is None and len(self.key) > 1:
            lanes = torch.arange(len(self.key), device=self.key.device)
        lanes, prompt_mask = (
            None if one is None else one.repeat_interleave(copies, dim=0) for one in (lanes, self.prompt_mask)
        )
        dropout_mask = None if self.dropout_mask is None else self.dropout_mask.repeat_interleave(copies, dim=1)
        return SitePrompt(self.key, self.value, lanes, prompt_mask, dropout_mask)


def site_prompts(deep: Sequence[DeepPrompt | None], sizes: Sequence[int]) -> dict[SiteKey, SitePrompt]:
    """The lanes' deep prompts put together, site by site: shorter and absent ones are padded and masked.

    `sizes` are the rows of each lane in the batch.
    """
    there = [one for one in deep if one is not None]
    if not there:
        return {}
    sites = sorted({site for one in there for site in one.sites})
    longest = max(one.values.shape[-2] for one in there)
    values = torch.stack([_padded(one, sites, longest, there[0].values) for one in deep])  # [R, sites, 2, A, P, D]
    lane_of_row = None
    if len(deep) > 1:
        lanes = torch.arange(len(deep)).repeat_interleave(torch.tensor(sizes))
        lane_of_row = lanes.to(values.device, non_blocking=True)
    dropout = _dropout_masks(deep, sizes, sites, longest)
    masks = _prompt_masks(deep, sizes, sites, longest, values.device)
    return {
        site: SitePrompt(
            values[:, i, 0], values[:, i, 1], lane_of_row, masks[i], None if dropout is None else dropout[i]
        )
        for i, site in enumerate(sites)
    }


def _padded(one: DeepPrompt | None, sites: Sequence[SiteKey], longest: int, like: Tensor) -> Tensor:
    """A lane's values `[sites, 2, A, longest, D]`, with zeros where it has none."""
    if one is None:
        return like.new_zeros(len(sites), *like.shape[1:3], longest, like.shape[-1])
    values = functional.pad(one.values, (0, 0, 0, longest - one.values.shape[-2]))
    if one.sites == tuple(sites):
        return values
    own = dict(zip(one.sites, values, strict=True))
    return torch.stack([own.get(site, torch.zeros_like(values[0])) for site in sites])


def _dropout_masks(
    deep: Sequence[DeepPrompt | None], sizes: Sequence[int], sites: Sequence[SiteKey], longest: int
) -> Tensor | None:
    """What dropout leaves, `[sites, 2, B, A, longest, D]`; None where no lane drops anything."""
    like = next((one.dropout_mask for one in deep if one is not None and one.dropout_mask is not None), None)
    if like is None:
        return None
    if len(deep) == 1:
        return like
    whole = like.new_ones(len(sites), 2, sum(sizes), like.shape[3], longest, like.shape[5])
    for one, size, end in zip(deep, sizes, np.cumsum(sizes), strict=True):
        if one is not None and one.dropout_mask is not None:
            mine = slice(None) if one.sites == tuple(sites) else [sites.index(site) for site in one.sites]
            whole[mine, :, end - size : end, :, : one.dropout_mask.shape[-2]] = one.dropout_mask
    return whole


def _prompt_masks(
    deep: Sequence[DeepPrompt | None],
    sizes: Sequence[int],
    sites: Sequence[SiteKey],
    longest: int,
    device: torch.device,
) -> list[Tensor | None]:
    """For each site which of the `longest` prompt vectors a row sees, `[B, longest]`, one tensor for all sites where
    it is the same; None where every row sees them all."""
    lengths_at = [
        tuple(one.values.shape[-2] if one is not None and site in one.sites else 0 for one in deep) for site in sites
    ]
    made: dict[tuple[int, ...], Tensor | None] = {}
    for lengths in lengths_at:
        if lengths not in made:
            seen = np.arange(longest) < np.repeat(lengths, sizes)[:, None]
            made[lengths] = None if min(lengths) == longest else torch.from_numpy(seen).to(device, non_blocking=True)
    return [made[lengths] for lengths in lengths_at]
