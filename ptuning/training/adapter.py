"""Adapters: what a run trains, a prompt and a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ptuning.backbones import load
from ptuning.backbones.backbone import Backbone
from ptuning.data.encoded import Encoded
from ptuning.data.splits import TaskData
from ptuning.heads.base import HeadContext
from ptuning.methods.base import UNMASKED, Method, PromptMask
from ptuning.parsed import Run
from ptuning.prompts import inits
from ptuning.prompts.inits.base import InitContext, SourcePrompt
from ptuning.prompts.placement import Layout
from ptuning.seeds import Streams
from ptuning.tasks.kinds.examples import Request


class Adapter(nn.Module):
    """What a run trains, or has trained: a method and a head. The adapters of a mixture's sets share the method of
    the first, `beside`, and its random streams."""

    def __init__(
        self,
        run: Run,
        name: str,
        backbone: Backbone,
        beside: Adapter | None = None,
        sources: Sequence[SourcePrompt] = (),
    ) -> None:
        """For the run's set `name` (its task's name, or that of one of its mixture's); `sources` are the prompts that
        the run starts from."""
        super().__init__()
        config = run.config.by_task[name]
        self.config, self.task = config, run.tasks[name]
        self.streams: Streams
        self.method: Method
        if beside is None:
            self.streams = Streams(config.seed, backbone.device)
            self.method = _method(run, backbone, sources, self.streams)
        else:
            self.streams, self.method = beside.streams, beside.method
        self.context = head_context(run, name, backbone, self.streams)
        head = run.heads[name]
        if head.needs_language_model and backbone.lm_head is None:  # whichever of the runs that share it comes first
            load.add_lm_head(backbone, config.backbone, config.train, config.runtime.attention)
        self.head = head(self.context)
        self.to(backbone.device)

    @property
    def entry_layer(self) -> int:
        """The layer at which its passes enter the backbone: 1, or where there is a cache of what lies below, the first
        one that the method changes."""
        return 1 if self.context.backbone.hidden_cache is None else self.method.first_layer

    @property
    def layout(self) -> Layout:
        return self.method.layout

    def asked(self, data: TaskData) -> TaskData:
        """What of its task's data its head can ask. Raises InputError where that is nothing."""
        return data.only(partial(self.head.asked, self.context), self.head.left_out)

    def encode(self, examples: Sequence[Any]) -> Encoded:
        """`examples` of its task as token sequences, to be answered. Raises InputError where one cannot be."""
        return self.head.encode_unanswered(self.context, examples)

    def collect(self, examples: Sequence[Any], encoded: Encoded, predictions: Sequence[np.ndarray]) -> Any:
        """The predictions for `examples`, as `task.score` takes them, from those for the items of `encoded`."""
        return self.head.collect(self.context, examples, encoded, predictions)

    def requests(self, examples: Sequence[Any]) -> list[Request]:
        """`examples` as texts to be answered with texts, where its head answers so."""
        return self.head.requests(self.context, examples)

    def texts(self, predictions: Sequence[np.ndarray]) -> list[str] | None:
        """What the backbone said of each item, where that is a text."""
        return self.head.texts(self.context, predictions)

    def unread(self, examples: Sequence[Any], texts: Sequence[str] | None) -> dict[str, float]:
        """A score: of the `texts` that were said the share, in percent, that is not of the form of the task's answers;
        none where any text will do."""
        found = None if texts is None else self.head.unread(self.context, examples, texts)
        return {} if found is None else {"unread": 100 * found / len(examples)}


def _method(run: Run, backbone: Backbone, sources: Sequence[SourcePrompt], streams: Streams) -> Method:
    if run.prompt is None:
        return run.method(None, backbone, None)
    labels = list(dict.fromkeys(label for task in run.tasks.values() for label in task.labels))
    context = InitContext(backbone, labels, sources, streams.initial("prompt"))
    init = run.prompt.init
    return run.method(run.prompt, backbone, inits.load(init.name)(init, context))


def head_context(run: Run, name: str, backbone: Backbone, streams: Streams) -> HeadContext:
    """What the head of the run's set `name` is given."""
    return HeadContext(
        run.config.by_task[name], run.tasks[name], backbone.tokenizer, backbone, streams, run.trains_backbone
    )


@dataclass(frozen=True)
class AdapterBatch:
    """What one adapter predicts in a batch: the items `rows` of `examples`. In training with what dropout leaves of
    the prompt, and, in each of their sequences, of what the head reads, `[S, …]`. `divisible`: its items, which ascend
    in length then, may go through the backbone in several passes."""

    adapter: Adapter
    examples: Encoded
    rows: np.ndarray
    prompt_dropout_mask: PromptMask = UNMASKED
    head_dropout_mask: Tensor | None = None
    divisible: bool = False

    @property
    def text_width(self) -> int:
        """Tokens of the longest sequence."""
        return int(self.examples.longest[self.rows].max())

    @property
    def width(self) -> int:
        """Tokens of the longest sequence, an inserted prompt included."""
        return self.text_width + self.adapter.layout.inserted

    @property
    def widths(self) -> np.ndarray:
        """Tokens of each item's longest sequence, an inserted prompt included, `[B]`."""
        return self.examples.longest[self.rows] + self.adapter.layout.inserted

    @property
    def sequences(self) -> np.ndarray:
        return self.examples.sequences(self.rows)

    @property
    def targets(self) -> Tensor:
        """The targets of the items, `[B, K]`, on the CPU."""
        return torch.from_numpy(self.examples.targets_of(self.rows))

    def with_dropout(self, step: int) -> AdapterBatch:
        """With dropout masks for a step of the adapter's run, whose whole batch this is."""
        sequences, streams = len(self.sequences), self.adapter.streams
        prompt = self.adapter.method.dropout_mask(streams, step, sequences)
        return replace(
            self,
            prompt_dropout_mask=prompt,
            head_dropout_mask=self.adapter.head.dropout_mask(streams, step, sequences, self.text_width),
        )

    def part(self, begin: int, end: int) -> AdapterBatch:
        """The items from `begin` to `end`."""
        mine = slice(begin * self.examples.choices, end * self.examples.choices)
        head = None if self.head_dropout_mask is None else self.head_dropout_mask[mine]
        return AdapterBatch(self.adapter, self.examples, self.rows[begin:end], self.prompt_dropout_mask.of(mine), head)
