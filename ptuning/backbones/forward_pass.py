"""The state of one pass through a backbone: what its attention and its layers need to know beside their inputs.

It hangs on the backbone and not on the thread or the call, since checkpointed layers run again in the backward pass,
on CUDA in another thread. One context manager sets it, and spans forward and backward.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ptuning.prompts.deep import SiteKey, SitePrompt


@dataclass(frozen=True)
class SingleQuery:
    """One token of each row as the only query, with keys and values of all tokens: `hidden` `[B, T, H]` is the whole
    of a layer's input, `at` `[B]` the token that the layer itself is given, `[B, 1, H]`."""

    hidden: Tensor
    at: Tensor

    def keys_and_values(self, attention: nn.Module, like: Tensor) -> tuple[Tensor, Tensor]:
        """Those of all tokens, `[B, A, T, D]`; `like` `[B, A, 1, D]` is the key of the single token."""
        batch, heads, _, size = like.shape
        key, value = (project(self.hidden) for project in projections(attention))
        return key.view(batch, -1, heads, size).transpose(1, 2), value.view(batch, -1, heads, size).transpose(1, 2)

    def of_query(self, whole: Tensor) -> Tensor:
        """Of something with a row for each token (a mask `[B, 1, T, T]`, say) the rows of the single queries:
        `[B, 1, 1, T]`."""
        return whole[torch.arange(len(whole), device=whole.device), :, self.at][:, :, None]


def projections(attention: nn.Module) -> list[nn.Linear]:
    """What makes keys and values of hidden states; none where the family does it in another way."""
    for names in (("key", "value"), ("k_lin", "v_lin"), ("k_proj", "v_proj")):
        found = [getattr(attention, name, None) for name in names]
        if all(isinstance(one, nn.Linear) for one in found):
            return found  # type: ignore[return-value]
    return []


@dataclass
class ForwardPass:
    """One pass: each site's prompt; the token of each row that is the last layer's only query, `[B]`, None for all;
    the first token that sees each prompt vector, `[B, P]`, None where all tokens see all of them; the layer at which
    the pass enters, and the hidden states `[B, T, H]` that enter there in the place of its input; and what it makes on
    its way: the single queries by their site, and the extended masks that layers share."""

    prompts: Mapping[SiteKey, SitePrompt] = field(default_factory=dict)
    single_query: Tensor | None = None
    first_query: Tensor | None = None
    entry_layer: int = 1
    entry_hidden: Tensor | None = None
    queries: dict[SiteKey, SingleQuery] = field(default_factory=dict)
    extended_masks: deque[tuple[Tensor | None, Tensor | None, int, Tensor]] = field(
        default_factory=lambda: deque(maxlen=16)
    )

    def extended(
        self, mask: Tensor | None, prompt_mask: Tensor | None, queries: int, make: Callable[[], Tensor]
    ) -> Tensor:
        """The mask of so many `queries` extended by the prompt's columns, `[B, 1, Q, P + T]`; made once for all layers
        that share both."""
        for known, known_prompt, rows, extended in self.extended_masks:
            if known is mask and known_prompt is prompt_mask and rows == queries:
                return extended
        made = make()
        self.extended_masks.append((mask, prompt_mask, queries, made))
        return made


class CurrentPass:
    """The pass that runs now; an empty one where none does."""

    def __init__(self) -> None:
        self.state = ForwardPass()
        self.running = False

    @contextmanager
    def set(self, state: ForwardPass) -> Iterator[ForwardPass]:
        """Let `state` be the pass for the time of the block, to which its backward pass belongs."""
        if self.running:
            raise RuntimeError("a pass through this backbone is running already")
        self.state, self.running = state, True
        try:
            yield state
        finally:
            self.state, self.running = ForwardPass(), False


@dataclass(frozen=True)
class SitePort:
    """What the attention module at a site sees of the pass that runs now."""

    current: CurrentPass
    site: SiteKey

    @property
    def state(self) -> ForwardPass:
        return self.current.state

    @property
    def prompt(self) -> SitePrompt | None:
        return self.state.prompts.get(self.site)

    @property
    def single_query(self) -> SingleQuery | None:
        return self.state.queries.get(self.site)
