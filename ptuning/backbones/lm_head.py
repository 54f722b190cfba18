"""A checkpoint's language-model head, around a backbone that is loaded already.

transformers' class of the whole language model is kept: its `generate` and what it does to hidden states (a scale, a
bias, a transformation before the vocabulary) are its own, and differ from family to family.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel

from ptuning.backbones.encoder import Encoder

IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


def _plain(language_model: PreTrainedModel) -> GenerationConfig:
    """The checkpoint's special tokens alone: how a text is looked for is the run's own (BART's forced end, say, and
    sampling are not taken from a file)."""
    own = language_model.generation_config
    return GenerationConfig(**{name: getattr(own, name, None) for name in IDS})


class _Given:
    """A model's output of which only the hidden states are there."""

    def __init__(self, hidden: Tensor) -> None:
        self.last_hidden_state = hidden

    def __getitem__(self, index: int) -> Tensor | None:
        return self.last_hidden_state if index == 0 else None

    def __getattr__(self, name: str) -> None:
        return None


class _Backbone(nn.Module):
    """In a language model's backbone's place: gives the hidden states that it is given as embeddings."""

    @property
    def decoder(self) -> _Backbone:  # OPT's language model calls the stack within its backbone
        return self

    def forward(self, *_: Any, **inputs: Any) -> _Given:
        given = inputs.get("inputs_embeds")
        return _Given(inputs["decoder_inputs_embeds"] if given is None else given)


class LMHead(nn.Module):
    """`language_model`, whose own backbone is replaced by that of `network`; embeddings stay tied where they are."""

    def __init__(self, language_model: PreTrainedModel, network: Encoder) -> None:
        super().__init__()
        output, embedding = language_model.get_output_embeddings(), language_model.get_input_embeddings()
        tied = output.weight is embedding.weight
        self.language_model = language_model
        if language_model.can_generate():
            language_model.generation_config = _plain(language_model)
        head = copy.copy(language_model)  # the same, but for what stands in the backbone's place
        head._modules = dict(language_model._modules)
        prefix = language_model.base_model_prefix
        if prefix in language_model._modules:
            language_model._modules[prefix] = network.model
            head._modules[prefix] = _Backbone()
        else:  # T5's stacks stand in the language model itself
            language_model._modules |= network.model._modules
            head._modules |= dict.fromkeys(network.model._modules, _Backbone())
        if tied:
            output.weight = network.model.get_input_embeddings().weight
        self._head = [head]  # in a list, so that its modules are not counted twice
        self._inputs = network.head_inputs
        shared = {tensor.data_ptr() for tensor in network.model.state_dict().values()}
        self._own = [name for name, tensor in self.state_dict().items() if tensor.data_ptr() not in shared]

    def own_state(self) -> dict[str, Tensor]:
        """Its tensors that are not the backbone's too, by name."""
        state = self.state_dict()
        return {name: state[name] for name in self._own}

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits `[B, T, V]` of hidden states `[B, T, H]`."""
        return self._head[0](**self._inputs(hidden)).logits
