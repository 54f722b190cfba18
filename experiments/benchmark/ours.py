"""Ours: the engine that `experiments.run` uses, as lanes on one frozen backbone; and the floor beneath it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from experiments.benchmark.work import Contestant, Work, backbone, run_configs
from ptuning.backbones.backbone import Backbone
from ptuning.data import splits
from ptuning.parsed import Run
from ptuning.prompts.placement import Batch, Layout, collate, table
from ptuning.training.budget import Budget
from ptuning.training.datasets import TaskDataset
from ptuning.training.lanes import Lane
from ptuning.training.loop import train
from ptuning.training.measure import measure

HIDDEN_CACHE = 8e9  # bytes on the device


@dataclass
class Ours:
    """A backbone of ours, and how much goes through it at once."""

    work: Work
    backbone: Backbone
    budget: Budget

    @classmethod
    def on(cls, work: Work, dropout: float = 0.0, precision: torch.dtype | None = None) -> Ours:
        """With a backbone in `precision`, the work's where it is None."""
        made = backbone(work, dropout, precision)
        if dropout == 0:
            made.cache_hidden(HIDDEN_CACHE, 0)
        return cls(work, made, measure(made))

    def lanes(self, count: int, method: str = "p_tuning_v2", **prompt: str | int) -> list[Lane]:
        """Runs at their beginning. Their dev set is one example, so that all but training takes no time."""
        configs = run_configs(self.work, count, method, **prompt)
        task, loaded = splits.load_for_run(configs[0])
        one = splits.TaskData(loaded.train, loaded.dev[:1], loaded.source, loaded.fingerprint)
        examples = self.work.examples
        dataset = TaskDataset(task, one, examples, examples.first(1), encode_unanswered=lambda _: examples)
        return [Lane.build(Run.parse(config), [dataset], self.backbone) for config in configs]

    def prepare(self, lanes: int = 1, method: str = "p_tuning_v2", **prompt: str | int) -> Contestant:
        """`lanes` runs at once; `prompt` says what of their prompts is not as `run_configs` has it."""

        def fresh() -> object:
            built = self.lanes(lanes, method, **prompt)
            return lambda: self.train(built)

        return fresh  # type: ignore[return-value]

    def train(self, lanes: Sequence[Lane]) -> None:
        """Train the lanes to their end."""
        next_lane = partial(next, iter(lanes), None)
        for lane in train(self.backbone, next_lane, self.budget, progress=False):
            if lane.error is not None:
                raise lane.error

    def floor(self, tokens: int) -> Contestant:
        """Forward and activation-only backward of the bare backbone on the same texts, no prompt, no head, texts of
        one length together, `tokens` at a time. Tuning can be faster than this only by what it leaves out of it, as
        ours leaves out all tokens but [CLS] in the last layer."""
        batches = list(self._sorted(tokens))

        def epoch() -> None:
            self.backbone.train()
            for batch in batches:
                embeds = self.backbone.embed_tokens(batch).detach().requires_grad_()
                with self.backbone.attending({}):
                    self.backbone(embeds, batch.token_type_ids, batch).float().sum().backward()

        return lambda: epoch

    def _sorted(self, tokens: int) -> Iterator[Batch]:
        examples = self.work.examples
        order = np.argsort(examples.lengths, kind="stable")
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * examples.lengths[order[end]] <= tokens:
                end += 1
            rows = order[start:end]
            made = table(examples, rows, Layout(), int(examples.lengths[rows].max()), self.backbone.pad,
                         self.backbone.first_position)  # fmt: skip
            yield collate([made], self.backbone.device)
            start = end

    def memory_per_lane(self) -> int:
        """Bytes that one more run keeps on the device between steps: weights, gradients, AdamW's two moments."""
        (lane,) = self.lanes(1)
        return sum(parameter.nbytes * 4 for parameter in lane.parameters)
