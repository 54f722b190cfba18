"""Classification: one text an example, and a label, read where transformers' own classes for sequences read it: at
[CLS]; in a decoder at the last token; in an encoder-decoder at the last token of the decoder, which is given the text
again."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ptuning.data.encoded import Encoded
from ptuning.data.tokenizing import cut
from ptuning.errors import InputError
from ptuning.heads.base import Head, HeadContext, linear
from ptuning.seeds import Streams


class Pooler(nn.Module):
    """BERT's pooler: a dense layer and tanh on the vector that is read, `[B, H]` to `[B, H]`."""

    def __init__(self, hidden: int, random: torch.Generator, state: dict[str, Tensor] | None) -> None:
        super().__init__()
        self.dense = linear(hidden, hidden, random)
        if state is not None:
            self.load_state_dict(copy.deepcopy(state))

    def forward(self, hidden: Tensor) -> Tensor:
        return torch.tanh(self.dense(hidden))


def pooler(context: HeadContext, random: torch.Generator) -> nn.Module:
    """What `backbone.pooler` asks for. Raises InputError for the checkpoint's where it has none."""
    asked, backbone = context.config.backbone.pooler, context.backbone
    if asked == "none":
        return nn.Identity()
    if asked == "frozen" and backbone.pooler is None:
        raise InputError(
            f"backbone.pooler=frozen, but {context.config.backbone.id} has no pooler weights: choose "
            "backbone.pooler=none, trained, or random, a frozen one that each seed draws anew."
        )
    made = Pooler(backbone.hidden, random, None if asked == "random" else backbone.pooler)
    return made.requires_grad_(asked == "trained" or context.trains_backbone)


class Classification(Head):
    """Pooler (or none), dropout, one linear layer on the token that is read; cross-entropy over the labels."""

    peft_task: ClassVar[str | None] = "SEQ_CLS"
    transformers_names: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "bert": {"linear.": "classifier.", "pooler.": "bert.pooler."},
        "roberta": {"linear.": "classifier.out_proj.", "pooler.": "classifier."},
    }

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        random = context.streams.initial("head")
        self.pooler = pooler(context, random)
        self.linear = linear(context.backbone.hidden, self.outputs(context), random)

    @staticmethod
    def outputs(context: HeadContext) -> int:
        """Numbers that a sequence is scored with."""
        return len(context.labels)

    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """Of the pooled states, `[B, H]`."""
        return streams.keep_mask("head", step, self.dropout.rate, (sequences, self.linear.in_features))

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits `[B, labels]` of the states at the token that is read, `[B, 1, H]`."""
        return self.linear(self.dropout(self.pooler(hidden[:, 0].float()), dropout_mask))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets[:, 0], reduction="sum")

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Any]) -> Encoded:
        """Texts longer than `max_length` tokens are cut: the whole of the paper's inputs is."""
        counts = {len(example.segments) for example in examples}
        if len(counts) != 1:
            raise ValueError("all examples of a task have the same number of sequences")
        pairs = [segments for example in examples for segments in example.segments]
        sequences = cut(pairs, context.tokenizer, context.max_length)
        targets = cls.targets(examples)
        reads, decoder = context.backbone.whole_text_reads(sequences.tokens, sequences.starts)
        return Encoded(
            tokens=sequences.tokens,
            types=sequences.types,
            starts=sequences.starts,
            infix=sequences.infix,
            targets=targets.ravel(),
            target_starts=np.arange(len(examples) + 1) * (targets.size // len(examples)),
            owners=np.arange(len(examples)),
            choices=counts.pop(),
            reads=reads,
            decoder=decoder,
        )

    @staticmethod
    def targets(examples: Sequence[Any]) -> np.ndarray:
        """What is learned of each example, `[N]` or `[N, K]`: its label."""
        return np.array([example.label for example in examples])

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Any], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The examples' logits `[N, labels]`."""
        return np.stack(predictions)
