"""What a head is: how its inputs are encoded, which tokens it reads, a module that turns their hidden states into
predictions, its loss, and how predictions are collected. All of that is in one file a head.

A head is given the hidden states of the real tokens that it reads (`Encoded.reads`), all or one of each sequence:
prompt rows that stood among them are taken out before (`ptuning.training.forward`), so that no head reads a virtual
token, and labels of tokens are where the text has them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig, Schema
from ptuning.data import splits
from ptuning.data.answer_places import PLACES, Masked
from ptuning.data.encoded import Encoded
from ptuning.data.splits import TaskData
from ptuning.data.templates import Template
from ptuning.errors import InputError
from ptuning.seeds import Dropout, Streams
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Request


@dataclass(frozen=True)
class HeadContext:
    """All that a head may know of its run. `config` is on one task; `trains_backbone`: whether the run's method does;
    `streams` give its initial weights and dropout masks, and nothing that examples are encoded to depends on them."""

    config: RunConfig
    task: AnyTask
    tokenizer: Any
    backbone: Backbone
    streams: Streams
    trains_backbone: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels or choices of the task, as its data have them."""
        return self.task.labels

    @property
    def data(self) -> TaskData:
        """The task's data, for heads whose answers are the data's own. Raises InputError where they cannot be had."""
        return splits.load_for_run(self.config)[1]

    @property
    def max_length(self) -> int:
        """Tokens of a sequence at most, special tokens included."""
        return self.config.single.max_length


@dataclass(frozen=True)
class Decoding:
    """How an answer is looked for that is a text: at most `most` tokens, `end` among them, with so many `beams`."""

    most: int
    beams: int
    length_penalty: float
    end: int


class Head(nn.Module, ABC):
    """A subclass lives in a file named after it and is found by that name."""

    Keys: ClassVar[type[Schema] | None] = None  # the schema of its own `head` config keys; None: it has none
    also_answers: ClassVar[tuple[str, ...]] = ()  # other heads, in the place of which it can stand in any task
    usual_dropout: ClassVar[float] = 0.1  # `train.head_dropout` where nothing else is said
    has_weights: ClassVar[bool] = True  # of its own, which a run trains
    needs_language_model: ClassVar[bool] = False  # whether it asks the backbone for the logits of tokens
    decoding: Decoding | None = None  # where its predictions are the tokens of a text that the backbone generates
    peft_task: ClassVar[str | None] = None  # what PEFT calls what it does; None: it has no counterpart there
    # transformers' names of its modules, in the class for what it does: model type -> prefix of ours -> theirs
    transformers_names: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    left_out: ClassVar[str] = ""  # what examples are that it cannot ask a backbone, where there are any

    def __init__(self, context: HeadContext) -> None:
        super().__init__()
        self.dropout = Dropout(context.config.train.head_dropout)

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        """Raise InputError where the head's own keys do not go with each other, or with the task."""

    @classmethod
    def rows(cls, config: RunConfig) -> int:
        """Places that the head's texts have for the rows of a prompt (`prompt.placement=template`)."""
        return 0

    @classmethod
    def needs_data(cls, config: RunConfig) -> bool:
        """Whether it answers with what stands in the task's data alone."""
        return False

    @classmethod
    def carries_over(cls, labels: Sequence[str], others: Sequence[str]) -> bool:
        """Whether, trained on a task with `labels`, it can answer one with `others`, which are called as there."""
        return list(labels) == list(others)

    @classmethod
    def asked(cls, context: HeadContext, examples: Sequence[Any]) -> list[Any]:
        """Those of `examples` that it can ask this backbone; the others are `left_out`, and counted in the record."""
        return list(examples)

    @classmethod
    @abstractmethod
    def encode(cls, context: HeadContext, examples: Sequence[Any]) -> Encoded:
        """`examples` as token sequences. Raises InputError where one cannot be."""

    @classmethod
    def encode_unanswered(cls, context: HeadContext, examples: Sequence[Any]) -> Encoded:
        """As `encode`, but as they are asked: without answers, where those are a part of what the backbone reads."""
        return cls.encode(context, examples)

    @classmethod
    def requests(cls, context: HeadContext, examples: Sequence[Any]) -> list[Request]:
        """`examples` as texts to be answered with texts: as they are, unless it says how."""
        return list(examples)

    @classmethod
    def texts(cls, context: HeadContext, predictions: Sequence[np.ndarray]) -> list[str] | None:
        """What the backbone said of each item, where that is a text."""
        return None

    @classmethod
    def unread(cls, context: HeadContext, examples: Sequence[Any], texts: Sequence[str]) -> int | None:
        """How many of the `texts` are not of the form that the task's answers have; None where any will do."""
        return None

    @classmethod
    @abstractmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Any], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> Any:
        """The examples' predictions, as `task.score` takes them, from those of the items of `encoded`."""

    @abstractmethod
    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """What dropout leaves of what the head reads, in each of the `sequences` of a step's whole batch, of at most
        `width` tokens, `[B, …]`: those of the sequences in a pass come back to `forward`. None without dropout."""

    @abstractmethod
    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits of the hidden states `[B, T, H]` that the head reads; `real` `[B, T]` is false at padding. Where its
        texts have `answers` of their own (`Encoded.answers`), it is given them too, `[B, K]`."""

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of items whose targets are `[B, K]`, summed over them: the step divides it by `weight`."""

    def weight(self, targets: Tensor) -> float:
        """By what the summed loss of a lane's whole batch, whose targets are `[B, K]`, is divided: its items."""
        return len(targets)

    def predictions(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """What is kept of each item's logits, floating-point, not finite where they are not; `lengths`: its tokens."""
        return list(logits.float().cpu().numpy())


class LanguageModelHead(Head):
    """A head without weights of its own, which has the backbone's language-model head speak."""

    usual_dropout = 0.0
    has_weights = False
    needs_language_model = True
    peft_task = "CAUSAL_LM"

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.backbone = [context.backbone]  # in a list, since it is no part of the head

    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """None: what it reads goes to the backbone's own head."""
        return None


def parse_template(text: str, key: str, task: str, known: Sequence[str]) -> Template:
    """The template in the config `key`. Raises InputError where it is none, or is of other fields than those that are
    `known` of the `task`."""
    template = Template.parse(text, key)
    if unknown := [field for field in template.fields if field not in known]:
        raise InputError(
            f"{key}={text!r} has {{{unknown[0]}}}, and examples of task.name={task} have "
            f"{', '.join(known)}: write one of those."
        )
    return template


def answer_place(context: HeadContext, template: Template, answer_room: int = 0) -> Masked:
    """Where the backbone answers a text in the template, with room for so many tokens of an answer at least. Raises
    InputError where it cannot."""
    backbone = context.backbone
    start = getattr(backbone.model.config, "decoder_start_token_id", None)
    return PLACES[backbone.architecture](template, context.tokenizer, context.max_length, start, answer_room)


def linear(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    """Weights normal, std 0.02; bias 0."""
    made = nn.Linear(inputs, outputs)
    nn.init.normal_(made.weight, std=0.02, generator=random)
    nn.init.zeros_(made.bias)
    return made


def without_bias(linear: nn.Linear) -> nn.Linear:
    """A bias that is the same for all that a softmax is taken over cancels there, and drifts on rounding errors."""
    linear.register_parameter("bias", None)
    return linear
