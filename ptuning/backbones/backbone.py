"""The backbone: a pretrained encoder, its tokenizer and its shape. Every parameter of it is frozen when it is loaded;
only `fine_tuning` unfreezes it (`Backbone.unfreeze`)."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ptuning.backbones import attention, families
from ptuning.backbones.attention import SingleQuery
from ptuning.backbones.hidden_cache import HiddenCache
from ptuning.errors import InputError
from ptuning.prompts.deep import LayerPrompt
from ptuning.prompts.placement import Batch

PRECISION = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Backbone(nn.Module):
    """A frozen encoder that takes embeddings and deep prompts and gives hidden states.

    `pooler` holds the checkpoint's pooler weights (`dense.weight` `[H, H]`, `dense.bias` `[H]`) where it has them: the
    pooler itself belongs to the head (`ptuning.heads`), which says whether it is used, frozen or trained.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: Any, pooler: dict[str, Tensor] | None) -> None:
        super().__init__()
        config = model.eval().config
        self.model, self.tokenizer, self.pooler = model, tokenizer, pooler
        self.layers: int = config.num_hidden_layers
        self.heads: int = config.num_attention_heads
        self.hidden: int = config.hidden_size
        self.head_size: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.embedding: int = model.get_input_embeddings().embedding_dim
        families.adapt(model)
        self.attention = attention.attention_layers(model, self.layers)
        self._accepted = set(inspect.signature(model.forward).parameters)
        if not {"position_ids", "inputs_embeds"} <= self._accepted:
            raise InputError(
                f"backbone family {config.model_type!r} takes no position ids, so a prompt's place cannot be stated: "
                "choose a family that does (bert, roberta, electra, ...)."
            )
        self.first_position = _first_position(model)
        self.positions: int = config.max_position_embeddings - self.first_position
        self.autocast: torch.dtype | None = None
        self.fingerprint = fingerprint(model)
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        self.stem: HiddenCache | None = None
        self._stack = _stack(model, self.attention)
        self._layers = [] if self._stack is None else list(getattr(*self._stack))
        self._entry: tuple[nn.Module, Tensor] | None = None  # a layer, and what enters it in the place of its input
        self._asked: Tensor | None = None  # where the only tokens are, `[B]`, that the last layer works out
        for layer in self._layers:
            layer.register_forward_pre_hook(self._enter, with_kwargs=True)
        self.divisible = self._stack is not None and self.layers > 1 and self._same(start=2)
        self.narrowable = self._stack is not None and self._same(narrow=True)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def narrow(self, dtype: torch.dtype) -> None:
        """Hold the frozen weights in `dtype`; prompts, heads and optimizers stay in float32."""
        self.to(dtype)

    def keep_stem(self, memory: float, disk: float) -> None:
        """Compute the layers below the first prompt once a text and keep what they give, at most `memory` bytes of it
        on the device and `disk` bytes in files. For a frozen backbone without dropout, in its final precision."""

        def compute(layer: int, batch: Batch) -> Tensor:
            return self.below(layer, self.words(batch), batch.token_type_ids, batch)

        like = torch.empty(1, self.hidden, dtype=self.dtype, device=self.device)
        self.stem = HiddenCache(compute, like, memory, disk) if self.divisible else None

    @property
    def pad(self) -> int:
        return int(self.tokenizer.pad_token_id)

    def unfreeze(self, dtype: torch.dtype) -> None:
        """Let every parameter train, in float32, computing in `dtype` (fine-tuning)."""
        self.autocast = None if dtype == torch.float32 else dtype
        for parameter in self.parameters():
            parameter.requires_grad_(True)

    def words(self, batch: Batch) -> Tensor:
        """The word embeddings `[B, T, E]` of a batch's tokens, without positions: what `inputs_embeds` expects."""
        return self.model.get_input_embeddings()(batch.input_ids)

    def forward(
        self,
        embeds: Tensor,
        token_type_ids: Tensor,
        batch: Batch,
        prompts: Sequence[LayerPrompt | None],
        start: int = 1,
        only: Tensor | None = None,
    ) -> Tensor:
        """Hidden states `[B, T, H]` of `embeds` `[B, T, E]`, each layer attending to its entry of `prompts` too.

        With `start` above 1, `embeds` are the hidden states `[B, T, H]` that enter that layer (`below`), and the
        layers under it do not run. With `only` `[B]`, the last layer works out the hidden state of that one token of
        each row and no other, `[B, 1, H]`, if the family lets it (`narrowable`).
        """
        attention.set_prompts(self.attention, prompts)
        self._asked = only if self.narrowable else None
        self._entry = (self._layers[start - 1], embeds) if start > 1 else None
        try:
            if start == 1:
                return self._run(embeds, token_type_ids, batch)
            with self._without(slice(start - 1, None)):
                return self._run(self._placeholder(embeds), token_type_ids, batch)
        finally:
            if not any(getattr(layer, "gradient_checkpointing", False) for layer in self._layers):
                self._asked = self._entry = None  # else the layers run again in the backward pass

    def forget(self) -> None:
        """Let go of the last pass's prompts and activations, which stand ready for a backward pass until the next."""
        self._asked = self._entry = None
        attention.set_prompts(self.attention, [None] * self.layers)
        self.attention[-1].asking = None  # type: ignore[assignment]

    def below(self, layer: int, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        """The hidden states `[B, T, H]` that enter `layer` (2 or higher), without a prompt and without gradient."""
        found: list[Tensor] = []
        self._asked = self._entry = None
        attention.set_prompts(self.attention, [None] * self.layers)
        with torch.no_grad(), self._without(slice(layer - 1)) as layers:
            hook = layers[-1].register_forward_hook(
                lambda _module, _inputs, output: found.append(output[0] if isinstance(output, tuple) else output)
            )
            try:
                self._run(embeds, token_type_ids, batch)
            finally:
                hook.remove()
        return found[0]

    def _run(self, embeds: Tensor, token_type_ids: Tensor, batch: Batch) -> Tensor:
        inputs = {
            "inputs_embeds": embeds,
            "attention_mask": batch.attention_mask,
            "position_ids": batch.position_ids,
        }
        if "token_type_ids" in self._accepted:
            inputs["token_type_ids"] = token_type_ids
        computing = torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()
        with computing:
            return self.model(**inputs).last_hidden_state

    @contextmanager
    def _without(self, kept: slice) -> Iterator[nn.ModuleList]:
        """The model with only the layers in `kept`, for the time of the block."""
        assert self._stack is not None
        holder, name = self._stack
        whole = holder._modules[name]
        holder._modules[name] = part = nn.ModuleList(self._layers[kept])
        try:
            yield part
        finally:
            holder._modules[name] = whole

    def _placeholder(self, hidden: Tensor) -> Tensor:
        """Something in the shape of embeddings, for an embedding module whose output nobody reads."""
        return hidden if self.embedding == hidden.shape[-1] else hidden.new_zeros(*hidden.shape[:2], self.embedding)

    def _enter(self, layer: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        """Before a layer: put the stem's output in its input's place, and leave the last layer the token that asks."""
        hidden = inputs[0] if inputs else named["hidden_states"]
        if self._entry is not None and layer is self._entry[0]:
            hidden = self._entry[1]
        if layer is self._layers[-1] and isinstance(hidden, Tensor):
            self.attention[-1].asking = None  # type: ignore[assignment]
            if self._asked is not None:
                self.attention[-1].asking = SingleQuery(hidden, self._asked)  # type: ignore[assignment]
                hidden = hidden[torch.arange(len(hidden), device=hidden.device), self._asked][:, None]
        return ((hidden, *inputs[1:]), named) if inputs else (inputs, named | {"hidden_states": hidden})

    def _same(self, start: int = 1, narrow: bool = False) -> bool:
        """Whether the model, entered at layer `start` or with one token asking, gives what the whole gives."""
        try:
            return self._agrees(start, narrow)
        except (RuntimeError, TypeError, IndexError, ValueError):  # the family's layers take or give something else
            return False
        finally:
            self.forget()

    def _agrees(self, start: int, narrow: bool) -> bool:
        ids = torch.tensor([[5, 6, 7], [8, 9, 5]], device=self.device)
        positions = torch.arange(3, device=self.device).expand(2, -1) + self.first_position
        seen = torch.tensor([[1, 1, 1], [1, 1, 0]], device=self.device)
        batch = Batch(ids, ids * 0, positions, seen, ids * 0 - 1, ids[:, 0] * 0)
        none = [None] * self.layers
        at = torch.tensor([1, 0], device=self.device)
        self.narrowable = narrow
        with torch.no_grad():
            enters = words = self.words(batch)
            whole = self(words, batch.token_type_ids, batch, none)
            if start > 1:
                enters = self.below(start, words, batch.token_type_ids, batch)
            got = self(enters, batch.token_type_ids, batch, none, start, at if narrow else None)
            expected = whole[torch.arange(2), at][:, None] if narrow else whole[seen.bool()]
            return torch.allclose(got if narrow else got[seen.bool()], expected, atol=1e-5)


def _stack(model: nn.Module, attention: Sequence[nn.Module]) -> tuple[nn.Module, str] | None:
    """Where the model keeps its layers: a module and the name of its list of them; None where it has no such list."""
    paths = {id(module): path for path, module in model.named_modules()}
    for name, holder in model.named_modules():
        for child, layers in holder.named_children():
            prefix = f"{name}.{child}." if name else f"{child}."
            inside = isinstance(layers, nn.ModuleList) and len(layers) == len(attention)
            if inside and all(paths[id(one)].startswith(f"{prefix}{i}.") for i, one in enumerate(attention)):
                return holder, child
    return None


def _first_position(model: PreTrainedModel) -> int:
    """The position id that the family gives a sequence's first token: 0 (BERT), or padding id + 1 (RoBERTa).

    Found by trying, since a wrong guess would shift every token without a word. Raises InputError if neither fits.
    """
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


def fingerprint(model: nn.Module) -> str:
    """A hash of every weight of the encoder (name, shape, values), whatever file it came from; the pooler apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
