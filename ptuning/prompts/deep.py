"""Deep prompts: the keys and values that attention sees beside its own, of one lane and of all lanes of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass
from collections.abc import Sequence
from dataclasses import field

import numpy as np
from torch.nn import functional


@dataclass(frozen=True)
class DeepPrompt:
    """The keys and values that some layers' attention sees beside its own, made once for a lane.

    layers: 1-based, ascending; values: `[layers, 2, A, P, D]`, keys then values; kept: `[layers, 2, B, A, P, D]`
    boolean, what dropout leaves of them in each of the lane's B rows, None without dropout.
    """

    layers: tuple[int, ...]
    values: Tensor
    kept: Tensor | None = None


@dataclass(frozen=True)
class LayerPrompt:
    """What one layer's attention sees beside its own keys and values, for one batch.

    key, value: `[R, A, P, D]`, made once for each of R lanes; rows: `[B]`, the lane of each row of the batch (None:
    one lane for all rows, or R = B and each row its own); visible: `[B, P]` boolean, None where every row sees all P
    (rows of lanes with a shorter prompt, or none in this layer, see fewer); kept: `[2, B, A, P, D]` boolean, what
    dropout leaves of each row's keys and values, None without dropout; masks: widened masks that the layers of one
    forward pass share.
    """

    key: Tensor
    value: Tensor
    rows: Tensor | None = None
    visible: Tensor | None = None
    kept: Tensor | None = None
    masks: dict[tuple[int, int, int], tuple[Tensor | None, Tensor]] = field(default_factory=dict, compare=False)

    def spread(self, batch: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, A, P, D]`, one a row of the batch."""
        pair = [one if self.rows is None else one.index_select(0, self.rows) for one in (self.key, self.value)]
        if self.kept is not None:
            pair = [one * kept for one, kept in zip(pair, self.kept, strict=True)]
        return pair[0].to(dtype).expand(batch, -1, -1, -1), pair[1].to(dtype).expand(batch, -1, -1, -1)

    def before(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The prompt's keys and values, then the layer's own `[B, A, T, D]`: `[B, A, P + T, D]`."""
        keys, values = self.spread(len(key), key.dtype)
        return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)


def layer_prompts(deep: Sequence[DeepPrompt | None], sizes: Sequence[int]) -> dict[int, LayerPrompt]:
    """The lanes' deep prompts put together, layer (1-based) by layer: shorter and absent ones are padded and hidden.

    `sizes` are the rows of each lane in the batch.
    """
    there = [one for one in deep if one is not None]
    if not there:
        return {}
    layers = sorted({layer for one in there for layer in one.layers})
    longest = max(one.values.shape[-2] for one in there)
    values = torch.stack([_padded(one, layers, longest, there[0].values) for one in deep])  # [R, layers, 2, A, P, D]
    rows = None
    if len(deep) > 1:
        rows = torch.arange(len(deep)).repeat_interleave(torch.tensor(sizes)).to(values.device, non_blocking=True)
    kept = _kept(deep, sizes, layers, longest)
    visible = _visible(deep, sizes, layers, longest, values.device)
    masks: dict[tuple[int, int, int], tuple[Tensor | None, Tensor]] = {}
    return {
        layer: LayerPrompt(
            values[:, i, 0], values[:, i, 1], rows, visible[i], None if kept is None else kept[i], masks
        )
        for i, layer in enumerate(layers)
    }


def _padded(one: DeepPrompt | None, layers: Sequence[int], longest: int, like: Tensor) -> Tensor:
    """A lane's values `[layers, 2, A, longest, D]`, with zeros where it has none."""
    if one is None:
        return like.new_zeros(len(layers), *like.shape[1:3], longest, like.shape[-1])
    values = functional.pad(one.values, (0, 0, 0, longest - one.values.shape[-2]))
    if one.layers == tuple(layers):
        return values
    own = dict(zip(one.layers, values, strict=True))
    return torch.stack([own.get(layer, torch.zeros_like(values[0])) for layer in layers])


def _kept(
    deep: Sequence[DeepPrompt | None], sizes: Sequence[int], layers: Sequence[int], longest: int
) -> Tensor | None:
    """What dropout leaves, `[layers, 2, B, A, longest, D]`; None where no lane drops anything."""
    like = next((one.kept for one in deep if one is not None and one.kept is not None), None)
    if like is None:
        return None
    if len(deep) == 1:
        return like
    whole = like.new_ones(len(layers), 2, sum(sizes), like.shape[3], longest, like.shape[5])
    for one, size, end in zip(deep, sizes, np.cumsum(sizes), strict=True):
        if one is not None and one.kept is not None:
            mine = slice(None) if one.layers == tuple(layers) else [layers.index(layer) for layer in one.layers]
            whole[mine, :, end - size : end, :, : one.kept.shape[-2]] = one.kept
    return whole


def _visible(
    deep: Sequence[DeepPrompt | None], sizes: Sequence[int], layers: Sequence[int], longest: int, device: torch.device
) -> list[Tensor | None]:
    """For each layer which of the `longest` slots a row sees, `[B, longest]`; None where every row sees them all."""
    reach = [
        [one.values.shape[-2] if one is not None and layer in one.layers else 0 for one in deep] for layer in layers
    ]
    made: dict[tuple[int, ...], Tensor | None] = {}
    for lengths in map(tuple, reach):
        if lengths not in made:
            seen = np.arange(longest) < np.repeat(lengths, sizes)[:, None]
            made[lengths] = None if min(lengths) == longest else torch.from_numpy(seen).to(device, non_blocking=True)
    return [made[tuple(lengths)] for lengths in reach]
