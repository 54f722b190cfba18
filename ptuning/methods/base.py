"""What a method is: what it trains, and how that joins a batch. A subclass lives in a file named after it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from pydantic import Field, SerializeAsAny, field_validator
from torch import Tensor, nn

from ptuning.config import Hashed, RunConfig, Schema, parse
from ptuning.errors import InputError
from ptuning.prompts import inits, reparameterizations
from ptuning.prompts.deep import DeepPrompt
from ptuning.prompts.inits.base import Init, Kind
from ptuning.prompts.placement import Batch, Layout, Placement, Positions
from ptuning.prompts.reparameterizations.base import Reparameterization
from ptuning.seeds import Dropout, Streams

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone
    from ptuning.backbones.shape import Shape
    from ptuning.backbones.sites import Site


@dataclass(frozen=True)
class PromptMask:
    """What dropout leaves in a step: of the prompt's elements in each sequence, `[B, …]`, and within what produces the
    prompt, for all sequences the same (`Reparameterization.dropout_mask`). Each None without dropout."""

    elements: Tensor | None = None
    within: Tensor | None = None

    def of(self, sequences: slice) -> PromptMask:
        """Of some of the sequences."""
        return PromptMask(None if self.elements is None else self.elements[sequences], self.within)


UNMASKED = PromptMask()


class Method(nn.Module):
    """A method without a prompt: the backbone as it is. Subclasses override what they add."""

    Prompt: ClassVar[type[PromptConfig] | None] = None  # the schema of the `prompt` config keys; None: there are none
    trains_backbone: ClassVar[bool] = False  # unless `train.backbone` says otherwise
    groups: ClassVar[tuple[str, ...]] = ()  # of what it trains itself: names in `train.lrs`
    peft_type: ClassVar[str | None] = None  # what PEFT calls it; None: it has no counterpart there

    layout = Layout()
    sites: Sequence[Site] = ()  # where its deep prompt is attended to
    first_layer = 1  # the lowest layer whose input or attention the method changes

    def __init__(self, prompt: Any, backbone: Backbone, init: Init | None) -> None:
        """`prompt` is a checked `Prompt`; `init` gives the weights that its prompt starts from."""
        super().__init__()

    @classmethod
    def check(cls, config: RunConfig) -> None:
        """Raise InputError where the run's `prompt` keys are not this method's, or do not go together."""
        if config.prompt is not None:
            raise InputError(f"method={config.method} has no prompt: remove the prompt.* keys.")
        if config.sources:
            raise InputError(f"sources: method={config.method} has no prompt to start from: remove sources.")

    @classmethod
    def layout_of(cls, prompt: Any) -> Layout:
        """How the prompt of a checked `Prompt` joins a sequence."""
        return Layout()

    @classmethod
    def check_shape(cls, prompt: Any, shape: Shape, max_length: int) -> None:
        """Raise InputError where the prompt of a checked `Prompt`, with texts of `max_length` tokens, does not fit a
        backbone of that shape."""
        shape.check(cls.layout_of(prompt), max_length)

    def dropout_mask(self, streams: Streams, step: int, sequences: int) -> PromptMask:
        """What dropout leaves in a step whose whole batch has so many `sequences`: of those in a pass it comes back to
        `embed` and `deep_prompt`."""
        return UNMASKED

    def embed(
        self, backbone: Backbone, batch: Batch, embeds: Tensor, dropout_mask: PromptMask = UNMASKED
    ) -> tuple[Tensor, Tensor]:
        """What enters the backbone, embeddings `[B, T, E]` and token types `[B, T]`, from the tokens' `embeds`."""
        return embeds, batch.token_type_ids

    def deep_prompt(self, dropout_mask: PromptMask = UNMASKED) -> DeepPrompt | None:
        """What the prompted layers' attention sees beside its own."""
        return None

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """What the method trains itself, by the names in `groups`."""
        return {}

    def peft_keys(self, reparameterization: Mapping[str, Any], width: int) -> dict[str, Any]:
        """The keys of PEFT's own config of that type, for a prompt `width` numbers wide that was trained with that
        `reparameterization`."""
        return {}

    def folded(self) -> dict[str, Tensor]:
        """What is left of the trained prompt after training: it loads into the same method without
        reparameterization, and predicts the same."""
        return {}

    def load_folded(self, state: dict[str, Tensor]) -> None:
        """Take back what `folded` gave."""
        self.load_state_dict(state)


class PromptConfig(Schema):
    """The keys that every method with a prompt understands."""

    # What identities hold that say nothing of an MLP or a normal distribution.
    also_hashed: ClassVar[Mapping[str, Any]] = {"mlp_hidden": 512, "init_std": 0.02}

    length: int = Field(ge=1, description="virtual tokens; for deep prompts, in each layer")
    placement: Placement = Field(
        description="[PROMPT; x; y]; [x; PROMPT; y]: after the first segment; or a template's places"
    )
    positions: Positions = Field(description="whether the position ids right of the prompt move by its length")
    reparameterization: Annotated[SerializeAsAny[Reparameterization.Config], Hashed(key="")]
    init: Annotated[SerializeAsAny[Init.Config], Hashed(key="")]
    dropout: float = Field(ge=0, lt=1, description="on the prompt itself, elementwise, drawn anew for each example")

    @field_validator("reparameterization", mode="before")
    @classmethod
    def _reparameterization(cls, value: Any) -> Any:
        return _of_its_file(value, "prompt.reparameterization", reparameterizations.load)

    @field_validator("init", mode="before")
    @classmethod
    def _init(cls, value: Any) -> Any:
        return _of_its_file(value, "prompt.init", inits.load)


def _of_its_file(value: Any, key: str, load: Callable[[str], type[Init | Reparameterization]]) -> Any:
    """A node with a `name` as the config of the file of that name. Raises InputError."""
    if not isinstance(value, Mapping):
        return value
    if "name" not in value:
        raise InputError(f"{key}.name is not set: give it a value.")
    return parse(load(str(value["name"])).Config, value, key)


class PromptMethod(Method):
    """A method that learns a prompt `[P, W]`: what produces it, what it starts from, and dropout on it."""

    Prompt: ClassVar[type[PromptConfig]] = PromptConfig
    groups: ClassVar[tuple[str, ...]] = ("prompt",)
    kind: ClassVar[Kind]

    reparameterization: Reparameterization

    def __init__(self, prompt: PromptConfig, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        self.dropout = Dropout(prompt.dropout)

    @classmethod
    def check(cls, config: RunConfig) -> None:
        if config.prompt is None:
            raise InputError(f"prompt is null, and method={config.method} learns one: give it the method's keys.")
        prompt = parse(cls.Prompt, config.prompt, "prompt")
        gives_prompt = reparameterizations.load(prompt.reparameterization.name).starts_from_prompt
        inits.load(prompt.init.name).check(prompt.init.name, cls.kind, gives_prompt, len(config.sources))

    def dropout_mask(self, streams: Streams, step: int, sequences: int) -> PromptMask:
        return PromptMask(
            self.element_mask(streams, step, sequences), self.reparameterization.dropout_mask(streams, step)
        )

    @abstractmethod
    def element_mask(self, streams: Streams, step: int, sequences: int) -> Tensor | None:
        """What dropout leaves of the prompt's elements in each of the `sequences`, `[B, …]`; None without dropout."""

    def produced(self, dropout_mask: PromptMask) -> Tensor:
        """The prompt `[P, W]`, before dropout on its elements."""
        return self.reparameterization(dropout_mask.within)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return {"prompt": list(self.reparameterization.parameters())}

    def folded(self) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"prompt": self.reparameterization().detach().clone()}

    def load_folded(self, state: dict[str, Tensor]) -> None:
        self.reparameterization.load_state_dict(state)


class InputPromptMethod(PromptMethod):
    """A method whose prompt `[P, E]` stands among the embeddings of the tokens."""

    kind = "input"

    def __init__(self, prompt: PromptConfig, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        self.layout = self.layout_of(prompt)
        self.shape = (prompt.length, backbone.embedding)
        self.reparameterization = reparameterized(
            prompt, backbone.embedding, backbone.embedding, init.input_prompt, init
        )

    @classmethod
    def layout_of(cls, prompt: PromptConfig) -> Layout:
        return Layout(prompt.length, prompt.length, prompt.placement, prompt.positions)

    def element_mask(self, streams: Streams, step: int, sequences: int) -> Tensor | None:
        """`[B, P, E]`."""
        return streams.keep_mask("prompt", step, self.dropout.rate, (sequences, *self.shape))

    def text(self, backbone: Backbone, batch: Batch, embeds: Tensor) -> tuple[Tensor, Tensor]:
        """What the tokens enter as, embeddings `[B, T, E]` and token types `[B, T]`, from their `embeds`; the prompt
        takes its places in it."""
        return embeds, batch.token_type_ids

    def embed(
        self, backbone: Backbone, batch: Batch, embeds: Tensor, dropout_mask: PromptMask = UNMASKED
    ) -> tuple[Tensor, Tensor]:
        """The text with prompt row `slots` wherever that is not -1: `[B, T, E]`."""
        tokens, types = self.text(backbone, batch, embeds)
        prompt = self.produced(dropout_mask).to(tokens.dtype).expand(len(tokens), -1, -1)  # [B, P, E]
        slots = batch.slots.clamp(min=0)[..., None].expand(-1, -1, prompt.shape[-1])
        placed = self.dropout(prompt, dropout_mask.elements).gather(1, slots)  # [B, T, E]
        return torch.where((batch.slots >= 0)[..., None], placed, tokens), types


def reparameterized(
    prompt: PromptConfig, width: int, input_width: int, start: Callable[[int], Tensor], init: Init
) -> Reparameterization:
    """What produces the prompt `[P, width]` of the config: from rows that `start` gives, or with weights drawn from
    `init` where it does not begin with a prompt. `input_width` is that of what goes into it."""
    kind = reparameterizations.load(prompt.reparameterization.name)
    made = kind(prompt.reparameterization, prompt.length, width, input_width, start, init)
    if init.can_be_fitted and not kind.starts_from_prompt:
        init.fit(made, made.parameters(), start(prompt.length))
    return made


def folded_config(prompt: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The prompt config under which folded weights load: they are the prompt itself, whatever it started from."""
    return None if prompt is None else {**prompt, "reparameterization": {"name": "none"}, "init": {"name": "zero"}}
