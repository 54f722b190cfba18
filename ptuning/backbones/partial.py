"""Running some layers of a backbone only: those below a layer, those from it on, the last one for a single token.

The model's code is untouched: its list of layers is shortened for the time of a pass, and a hook before each layer
puts other hidden states in its input's place. What a family's layers do not bear is found by trying
(`agrees`), since a wrong guess would change numbers without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptuning.backbones.forward_pass import CurrentPass, SingleQuery
from ptuning.backbones.sites import Site
from ptuning.prompts.placement import Batch

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone


class PartialLayers:
    """The layers of a model, to be run in part. `holder` has them as its list `name`; `sites` are theirs."""

    def __init__(self, holder: nn.Module, name: str, sites: Sequence[Site], current: CurrentPass) -> None:
        self.holder, self.name, self.current = holder, name, current
        self.layers = list(getattr(holder, name))
        self.last_site = sites[-1].key
        for layer in self.layers:
            layer.register_forward_pre_hook(self._before, with_kwargs=True)

    @classmethod
    def of(cls, model: nn.Module, sites: Sequence[Site], current: CurrentPass) -> PartialLayers | None:
        """None where the model has no list of the layers that hold `sites`, one each."""
        paths = {module: path for path, module in model.named_modules()}
        for path, holder in model.named_modules():
            for name, layers in holder.named_children():
                prefix = f"{path}.{name}." if path else f"{name}."
                fits = isinstance(layers, nn.ModuleList) and len(layers) == len(sites) > 0
                if fits and all(paths[site.attention].startswith(f"{prefix}{i}.") for i, site in enumerate(sites)):
                    return cls(holder, name, sites, current)
        return None

    @contextmanager
    def only(self, which: slice) -> Iterator[nn.ModuleList]:
        """The model with only the layers `which`, for the time of the block."""
        whole = self.holder._modules[self.name]
        self.holder._modules[self.name] = part = nn.ModuleList(self.layers[which])
        try:
            yield part
        finally:
            self.holder._modules[self.name] = whole

    @contextmanager
    def recorded(self, layer: nn.Module) -> Iterator[list[Tensor]]:
        """What `layer` gives in the passes of the block, `[B, T, H]` each."""
        found: list[Tensor] = []
        hook = layer.register_forward_hook(
            lambda _module, _inputs, output: found.append(output[0] if isinstance(output, tuple) else output)
        )
        try:
            yield found
        finally:
            hook.remove()

    def _before(self, layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        """Before a layer: put what enters the pass in its input's place, and leave the last one its single queries."""
        hidden, state = inputs[0] if inputs else named["hidden_states"], self.current.state
        if state.entry_hidden is not None and layer is self.layers[state.entry_layer - 1]:
            hidden = state.entry_hidden
        if state.single_query is not None and layer is self.layers[-1] and isinstance(hidden, Tensor):
            state.queries[self.last_site] = SingleQuery(hidden, state.single_query)
            hidden = hidden[torch.arange(len(hidden), device=hidden.device), state.single_query][:, None]
        return ((hidden, *inputs[1:]), named) if inputs else (inputs, named | {"hidden_states": hidden})


def trial_batch(backbone: Backbone) -> Batch:
    """Two short rows, of which one is padded."""
    ids = torch.tensor([[5, 6, 7], [8, 9, 5]], device=backbone.device)
    positions = torch.arange(3, device=backbone.device).expand(2, -1) + backbone.first_position
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]], device=backbone.device)
    return Batch(ids, ids * 0, positions, mask, ids * 0 - 1, ids[:, 0] * 0)


def agrees(backbone: Backbone, entry_layer: int = 1, single_query: bool = False) -> bool:
    """Whether a model entered at `entry_layer`, or with a single query in its last layer, gives what the whole
    gives."""
    kinds = getattr(backbone.model.config, "layer_types", None) or []
    if entry_layer > 1 and len(set(kinds)) > 1:
        return False  # short rows do not tell a window of attention from none, and layers would take another's kind
    batch = trial_batch(backbone)
    at = torch.tensor([1, 0], device=backbone.device)
    types, real = batch.token_type_ids, batch.attention_mask.bool()
    try:
        with torch.no_grad():
            embeds = backbone.embed_tokens(batch)
            whole = backbone(embeds, types, batch)
            if entry_layer > 1:
                enters = backbone.forward_until(entry_layer, embeds, types, batch)
                with backbone.attending({}):
                    upper = backbone.forward_from(entry_layer, enters, types, batch)
                return torch.allclose(upper[real], whole[real], atol=1e-5)
            with backbone.attending({}, at if single_query else None):
                single = backbone(embeds, types, batch)
            return torch.allclose(single, whole[torch.arange(2), at][:, None], atol=1e-5)
    except (RuntimeError, TypeError, IndexError, ValueError):  # the family's layers take or give something else
        return False
