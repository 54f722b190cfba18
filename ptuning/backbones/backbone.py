"""The backbone: a pretrained model, its tokenizer and its shape. Every parameter of it is frozen when it is loaded; a
run that trains it unfreezes it (`Backbone.unfreeze`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ptuning.backbones import architectures, content, families, shape, sites
from ptuning.backbones.encoder import Encoder
from ptuning.backbones.forward_pass import CurrentPass, ForwardPass
from ptuning.backbones.hidden_cache import HiddenCache
from ptuning.backbones.lm_head import LMHead
from ptuning.backbones.partial import PartialLayers, agrees, trial_batch
from ptuning.backbones.sites import Site
from ptuning.errors import InputError
from ptuning.prompts import depth
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Batch

PRECISION = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Backbone(nn.Module):
    """A frozen model that takes embeddings and deep prompts and gives hidden states. Its `architecture` is `encoder`,
    `decoder` or `encoder_decoder`; of the last, the encoder's hidden states.

    `pooler` holds the checkpoint's pooler weights (`dense.weight` `[H, H]`, `dense.bias` `[H]`) where it has them: the
    pooler itself belongs to the head (`ptuning.heads`), which says whether it is used, frozen or trained.

    `lm_head` is there where it was asked for (`ptuning.backbones.load.with_lm_head`).

    `runs_from_layer` and `runs_single_query` say whether the family's layers can be entered at a later one, and
    whether the last can work out one token alone.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, pooler: dict[str, Tensor] | None) -> None:
        super().__init__()
        config = model.eval().config
        self.model, self.tokenizer, self.pooler = model, tokenizer, pooler
        families.adapt(model)
        self.network = architectures.network(model)
        _check_finite(self.network)
        self.architecture = self.network.architecture
        self.layers: int = config.num_hidden_layers
        self.current = CurrentPass()
        self.sites: dict[SiteKey, Site] = {}
        self._siteless: InputError | None = None  # why there are none, for those who ask for one
        try:
            self.sites = sites.find(self.network, self.layers, self.current)
        except InputError as error:
            self._siteless = error
        self.embedding: int = self.network.body.get_input_embeddings().embedding_dim
        self.first_position = _first_position(self.network)
        self.shape = shape.of_network(self.network, self.first_position)
        self.autocast: torch.dtype | None = None
        self.content = content.of(model, tokenizer, pooler)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        self.lm_head: LMHead | None = None
        self.hidden_cache: HiddenCache | None = None
        stack = [site for site in self.sites.values() if site.stack == self.network.stack]
        self._partial = PartialLayers.of(self.network.body, stack, self.current)
        self.hidden, self._entry_width = self._widths()
        self.runs_from_layer = self._partial is not None and self.layers > 1 and agrees(self, entry_layer=2)
        self.runs_single_query = (
            self._partial is not None and not self.network.is_causal and agrees(self, single_query=True)
        )

    def sites_of(self, layers: Sequence[int], stack: str | None = None) -> list[Site]:
        """The sites of some layers, ascending, in that stack whose hidden states heads read or in another.

        Raises InputError where the family cannot take deep prompts there.
        """
        if self._siteless is not None:
            raise self._siteless
        keys = [SiteKey(stack or self.network.stack, layer) for layer in sorted(layers)]
        return sites.alike([self.sites[key] for key in keys], self.model.config.model_type)

    def sites_at(self, layers: str | int | Sequence[int], stacks: str | Sequence[str] | None = None) -> list[Site]:
        """The sites of a depth (`ptuning.prompts.depth`) in `stacks`, ascending by their keys: `all` of them, those
        named, or without any the one that reads the text. Raises InputError for what is not there."""
        if self._siteless is not None:
            raise self._siteless
        there = Counter(site.stack for site in self.sites.values())  # layers by stack
        chosen = sorted(there if stacks == "all" else set([self.stack] if stacks is None else stacks))
        if unknown := [stack for stack in chosen if stack not in there]:
            raise InputError(
                f"prompt.stacks has {unknown[0]}, and the stacks of this backbone are {', '.join(there)}: name some "
                "of those, or all."
            )
        found = [site for stack in chosen for site in self.sites_of(depth.layers(layers, there[stack]), stack)]
        return sites.alike(found, self.model.config.model_type)

    @property
    def stack(self) -> str:
        """The one that reads the text, whose hidden states heads read."""
        return self.network.stack

    def whole_text_reads(self, tokens: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Of sequences end to end, `[all tokens]`, that begin at `starts` `[S + 1]`, the index of the token that is
        read for the whole text, `[S, 1]`; and what the decoder is given, of which it is then, `[S, U]`."""
        return self.network.whole_text_reads(tokens, starts, self.tokenizer)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def cast_frozen(self, dtype: torch.dtype) -> None:
        """Hold the frozen weights in `dtype`; prompts, heads and optimizers stay in float32."""
        cast_weights(self.model, dtype)

    def cache_hidden(self, memory: float, disk: float) -> None:
        """Compute the layers below the first prompt once a text and keep what they give, at most `memory` bytes of it
        on the device and `disk` bytes in files. For a frozen backbone without dropout, in its final precision."""

        def compute(layer: int, batch: Batch) -> Tensor:
            return self.forward_until(layer, self.embed_tokens(batch), batch.token_type_ids, batch)

        like = torch.empty(1, self._entry_width, dtype=self.dtype, device=self.device)
        self.hidden_cache = HiddenCache(compute, like, memory, disk) if self.runs_from_layer else None

    @property
    def pad(self) -> int:
        """The id that padding has: any will do where the tokenizer has none (GPT-2), since nothing attends to it."""
        return int(self.tokenizer.pad_token_id or 0)

    def unfreeze(self, dtype: torch.dtype) -> None:
        """Let every parameter train, in float32, computing in `dtype` (fine-tuning)."""
        self.autocast = None if dtype == torch.float32 else dtype
        for parameter in self.parameters():
            parameter.requires_grad_(True)

    def weights(self) -> dict[str, Tensor]:
        """All of its tensors by name, those of its language-model head that are not the model's too as `lm_head.…`."""
        found = self.model.state_dict()
        if self.lm_head is not None:
            found |= {f"lm_head.{name}": tensor for name, tensor in self.lm_head.own_state().items()}
        return found

    def load_weights(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `weights` gave."""
        head = {name.removeprefix("lm_head."): one for name, one in state.items() if name.startswith("lm_head.")}
        self.model.load_state_dict({name: one for name, one in state.items() if not name.startswith("lm_head.")})
        if self.lm_head is not None:
            self.lm_head.load_state_dict(head, strict=False)  # the others are the model's

    def embed_tokens(self, batch: Batch) -> Tensor:
        """The word embeddings `[B, T, E]` of a batch's tokens, without positions: what `inputs_embeds` expects."""
        return self.network.body.get_input_embeddings()(batch.input_ids)

    @contextmanager
    def attending(
        self,
        prompts: Mapping[SiteKey, SitePrompt],
        single_query: Tensor | None = None,
        first_query: Tensor | None = None,
    ) -> Iterator[ForwardPass]:
        """A pass in which each site attends to its entry of `prompts` too; its backward pass belongs in the block.

        With `single_query` `[B]`, the last layer works out the hidden state of that one token of each row and no
        other, `[B, 1, H]`; only where `runs_single_query`. `first_query` `[B, P]` is the index of the first token
        that sees each prompt vector, in a decoder, where tokens before it must not; without it all do. Raises
        RuntimeError inside another such block.
        """
        with self.current.set(ForwardPass(prompts, single_query, first_query)) as state:
            yield state

    def forward(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """Hidden states `[B, T, H]` of `embeds` `[B, T, E]`; outside of `attending`, the plain backbone's."""
        with self._computing():
            return self.network.hidden(embeds, token_type_ids, batch)

    def forward_from(self, layer: int, hidden: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """As `forward`, from the hidden states `[B, T, H]` that enter `layer`, so that the layers below it do not run;
        from embeddings `[B, T, E]` where it is 1. Inside `attending`; above layer 1 only where `runs_from_layer`."""
        if layer == 1:
            return self(hidden, token_type_ids, batch)
        assert self._partial is not None and self.current.running
        self.current.state.entry_layer, self.current.state.entry_hidden = layer, hidden
        with self._partial.only(slice(layer - 1, None)):
            return self(self._placeholder(hidden), token_type_ids, batch)

    def forward_until(self, layer: int, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """The hidden states `[B, T, H]` that enter `layer` (2 or higher), without a prompt and without gradient."""
        assert self._partial is not None
        below = self._partial.only(slice(layer - 1))
        with self.attending({}), torch.no_grad(), below as layers, self._partial.recorded(layers[-1]) as found:
            self(embeds, token_type_ids, batch)
        return found[0]

    def decode(self, ids: Tensor, mask: Tensor, hidden: Tensor, batch: Batch) -> Tensor:
        """The decoder's hidden states `[B, U, H]` of an encoder-decoder: its tokens `ids` `[B, U]`, `mask` 0 at
        padding, attend to the encoder's `hidden` `[B, T, H]` of `batch`. In the same block as that pass. Raises
        InputError for a backbone without both stacks."""
        with self._computing():
            return self.network.decoded(ids, mask, hidden, batch.attention_mask)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits `[B, T, V]` over the vocabulary of hidden states `[B, T, H]`: the decoder's, of an encoder-decoder.
        Raises InputError where no language-model head was loaded."""
        with self._computing():
            return self._loaded_lm_head()(hidden)

    @torch.no_grad()
    def generate(
        self,
        batch: Batch,
        prompts: Mapping[SiteKey, SitePrompt],
        first_query: Tensor | None = None,
        embeds: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """What transformers' `generate` gives with `options`, its `sequences` without the text itself; `embeds`
        `[B, T, E]` stand in the place of the batch's tokens. Prompts are as in `attending`: attention sees them at
        every step, and the cache holds tokens alone.

        Raises InputError for an encoder, and where no language-model head was loaded.
        """
        head = self._loaded_lm_head()
        copies = max(options.get("num_beams", 1), options.get("num_return_sequences", 1))
        options = {"return_dict_in_generate": True, **options}
        given = self.embed_tokens(batch) if embeds is None else embeds
        with self._computing(), self.attending(prompts, None, first_query):
            inputs, first_query = self.network.generation_inputs(given, embeds is not None, batch, first_query)
        copied = {site: prompt.repeated(copies) for site, prompt in prompts.items()}
        if first_query is not None:
            first_query = first_query.repeat_interleave(copies, dim=0)
        with self._computing(), self.attending(copied, None, first_query):
            output = head.language_model.generate(**inputs, **options)
        output.sequences = output.sequences[:, self.network.given_tokens(inputs) :]
        return output

    def _loaded_lm_head(self) -> LMHead:
        if self.lm_head is None:
            raise InputError(
                "this backbone was loaded without its language-model head: load it with one "
                "(ptuning.backbones.load.with_lm_head)."
            )
        return self.lm_head

    def _computing(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()

    def _widths(self) -> tuple[int, int]:
        """Of the hidden states that the backbone gives and of those that enter its second layer: configs tell neither
        where layers are narrower than the model, or project what they give."""
        batch = trial_batch(self)
        with torch.no_grad():
            hidden = self(self.embed_tokens(batch), batch.token_type_ids, batch)
            if self._partial is None:
                return hidden.shape[-1], hidden.shape[-1]
            with self._partial.recorded(self._partial.layers[0]) as found:
                self(self.embed_tokens(batch), batch.token_type_ids, batch)
        return hidden.shape[-1], found[0].shape[-1]

    def _placeholder(self, hidden: Tensor) -> Tensor:
        """Something in the shape of embeddings, for an embedding module whose output nobody reads."""
        return hidden if self.embedding == hidden.shape[-1] else hidden.new_zeros(*hidden.shape[:2], self.embedding)


def cast_weights(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Hold the weights of `model` in `dtype`, as transformers does that loads it so: buffers that no checkpoint has
    (rotary frequencies, which lose their meaning when rounded) stay as they are, and so do, in float16, the modules
    that would overflow (T5's)."""
    exact = set(getattr(model, "_keep_in_fp32_modules_strict", None) or ())
    if dtype == torch.float16:
        exact |= set(getattr(model, "_keep_in_fp32_modules", None) or ())
    for name, module in model.named_modules():
        if not exact & set(name.split(".")):
            _cast_own(module, dtype)


def _cast_own(module: nn.Module, dtype: torch.dtype) -> None:
    for parameter in module.parameters(recurse=False):
        parameter.data = parameter.data.to(dtype)
    for name, buffer in module.named_buffers(recurse=False):
        if buffer.is_floating_point() and name not in module._non_persistent_buffers_set:
            buffer.data = buffer.data.to(dtype)


def _check_finite(network: Encoder) -> None:
    """Raise InputError where the model gives something that is no number: its weights are damaged."""
    with torch.inference_mode():
        ids = torch.tensor([[5, 6, 7]], device=network.device)
        finite = torch.isfinite(network.body(input_ids=ids).last_hidden_state).all()
    if not finite:
        raise InputError(
            f"backbone family {network.model.config.model_type!r} gives hidden states that are not finite: load the "
            "checkpoint anew, or choose another."
        )


def _first_position(network: Encoder) -> int:
    """The position id that the family gives a sequence's first token: 0 (BERT, and those that take no position ids),
    or padding id + 1 (RoBERTa).

    Found by trying, since a wrong guess would shift every token without a word. Raises InputError if neither fits.
    """
    if not network.takes_positions:
        return 0
    model = network.body
    words = torch.tensor([[5, 6, 7]], device=model.device)
    with torch.inference_mode():
        expected = model(input_ids=words).last_hidden_state
        for first in (0, (model.config.pad_token_id or 0) + 1):
            ids = torch.arange(first, first + 3, device=model.device)[None]
            if torch.allclose(model(input_ids=words, position_ids=ids).last_hidden_state, expected, atol=1e-5):
                return first
    raise InputError(
        f"backbone family {model.config.model_type!r} counts positions in an unknown way: choose bert, roberta, ..."
    )
