"""What the authors' scripts do (github.com/THUDM/P-tuning-v2): fp32, every text padded to 128, the prefix looked up,
dropped out and laid out as keys and values for each example of the batch and given to the model as a cache, eager
attention, the backbone's dropout on, the AdamW of their transformers, clipping. A bare loop: their Trainer's own
overhead is left out.

Nothing of ours is in it, so that it is an oracle too: with the same weights and batches ours has the same losses
(tests/experiments/test_official.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from experiments.benchmark.work import MAX_LENGTH, Contestant, Work, encoder, padded


class Prefix(nn.Module):
    """Their BertPrefixForSequenceClassification, on a frozen `backbone` with its pooler."""

    def __init__(self, backbone: PreTrainedModel, length: int, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        config = backbone.config
        self.length, self.layers, self.heads = length, config.num_hidden_layers, config.num_attention_heads
        self.prefix = nn.Embedding(length, self.layers * 2 * config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden_size, labels)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """The mean loss; `labels` are `[B]`, or `[B, T]` with -100 where there is none."""
        batch = len(input_ids)
        tokens = torch.arange(self.length, device=input_ids.device)[None].expand(batch, -1)
        table = self.prefix(tokens).view(batch, self.length, self.layers * 2, self.heads, -1)
        keys_and_values = self.dropout(table).permute(2, 0, 3, 1, 4).split(2)
        cache = DynamicCache([(layer[0], layer[1]) for layer in keys_and_values])
        mask = torch.cat([attention_mask.new_ones(batch, self.length), attention_mask], dim=1)
        output = self.backbone(input_ids, mask, token_type_ids=token_type_ids, past_key_values=cache)
        logits = self.classifier(self.dropout(self.read(output)))
        return nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())

    def read(self, output: Mapping[str, Tensor]) -> Tensor:
        """What the classifier reads: the pooled first token."""
        return output["pooler_output"]


class TokenPrefix(Prefix):
    """Their BertPrefixForTokenClassification."""

    def read(self, output: Mapping[str, Tensor]) -> Tensor:
        """Every token."""
        return output["last_hidden_state"]


class Optimizer:
    """The AdamW of transformers 4.11, after clipping: torch's, with an eps that is not divided by the bias of the
    second moment."""

    def __init__(self, model: nn.Module, rate: float) -> None:
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.adamw = torch.optim.AdamW(self.trained, lr=rate, weight_decay=0.0)
        self.steps = 0

    def step(self) -> None:
        """Update from the gradients that stand in the model, and remove them."""
        self.steps += 1
        for group in self.adamw.param_groups:
            group["eps"] = 1e-8 / math.sqrt(1 - 0.999**self.steps)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.adamw.step()
        self.adamw.zero_grad()


def prepare(work: Work) -> Contestant:
    model = Prefix(encoder(work.shape, 0.1, "eager"), work.length, labels=2).to(work.device).train()
    optimizer = Optimizer(model, 5e-3)

    def epoch() -> None:
        order = np.random.default_rng(0).permutation(len(work.examples))
        for start in range(0, len(order), work.batch_size):
            rows = order[start : start + work.batch_size]
            batch = {key: value.to(work.device) for key, value in padded(work, rows, MAX_LENGTH).items()}
            model(**batch).backward()
            optimizer.step()

    return lambda: epoch
