"""How alike two trained prompts are: what is said to tell whether one transfers to the other's task.

SPoT (Vu et al., 2022, section 3.2) has `cosine_averaged` and `cosine_pairs`; On Transferability of Prompt Tuning (Su
et al., 2022, section 6.1, and its released code) has the Euclidean distance and the cosine of prompts `concatenated`
and over all `pairs` of their tokens, and the overlap of the neurons that they activate (`neurons.py` finds those). A
distance `d` becomes the similarity `1 / (1 + d)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

GROUP = 3  # layers whose neurons are compared together


def cosine_concatenated(one: Tensor, other: Tensor) -> Tensor:
    """Of two prompts `[P, E]` as vectors of `P x E`: their tokens' order counts."""
    return cosine_similarity(one.flatten(), other.flatten(), dim=0)


def cosine_averaged(one: Tensor, other: Tensor) -> Tensor:
    """Of the averages of the tokens of `[P, E]` and `[Q, E]` (SPoT)."""
    return cosine_similarity(one.mean(dim=0), other.mean(dim=0), dim=0)


def cosine_pairs(one: Tensor, other: Tensor) -> Tensor:
    """The average over all pairs of a token of `[P, E]` and one of `[Q, E]`: of a prompt with itself less than 1,
    unless its tokens all point one way."""
    return cosine_similarity(one[:, None], other[None], dim=-1).mean()


def euclidean_concatenated(one: Tensor, other: Tensor) -> Tensor:
    """Of two prompts `[P, E]` as vectors of `P x E`."""
    return 1 / (1 + (one - other).norm())


def euclidean_averaged(one: Tensor, other: Tensor) -> Tensor:
    """Of the averages of the tokens of `[P, E]` and `[Q, E]`."""
    return 1 / (1 + (one.mean(dim=0) - other.mean(dim=0)).norm())


def euclidean_pairs(one: Tensor, other: Tensor) -> Tensor:
    """Of the average distance over all pairs of a token of `[P, E]` and one of `[Q, E]`."""
    return 1 / (1 + torch.cdist(one, other).mean())


METRICS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine_concatenated": cosine_concatenated,
    "cosine_averaged": cosine_averaged,
    "cosine_pairs": cosine_pairs,
    "euclidean_concatenated": euclidean_concatenated,
    "euclidean_averaged": euclidean_averaged,
    "euclidean_pairs": euclidean_pairs,
}


def neuron_overlap(one: Tensor, other: Tensor) -> Tensor:
    """The cosine of which neurons are activated, `[..., F]` of booleans each: of their sets, what both have over the
    geometric mean of their sizes. 0 where one has none."""
    return cosine_similarity(one.flatten().float(), other.flatten().float(), dim=0)


def layer_groups(layers: int) -> dict[str, slice]:
    """The layers whose neurons are compared, by what the metric is called: three at a time, and all."""
    starts = range(0, layers, GROUP)
    groups = {
        f"neurons_{start + 1}-{min(start + GROUP, layers)}": slice(start, start + GROUP)
        for start in starts
        if layers > GROUP
    }
    return groups | {"neurons_all": slice(None)}


def similarities(prompts: Sequence[Tensor], activated: Tensor) -> dict[str, list[list[float]]]:
    """Every metric of every pair of `prompts`, `[P, E]` each, by its name: `[N][N]`; `activated` are the neurons of
    each, `[N, L, F]`."""
    given = [prompt.double() for prompt in prompts]  # cdist of float32 is off at small distances
    found = {name: _matrix(metric, given) for name, metric in METRICS.items()}
    for name, layers in layer_groups(activated.shape[1]).items():
        found[name] = _matrix(neuron_overlap, list(activated[:, layers]))
    return found


def _matrix(metric: Callable[[Tensor, Tensor], Tensor], values: Sequence[Tensor]) -> list[list[float]]:
    return [[float(metric(one, other)) for other in values] for one in values]
