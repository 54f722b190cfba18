"""What the authors' scripts do (github.com/THUDM/P-tuning-v2): fp32, every text padded to 128, the prefix looked up,
dropped out and laid out as keys and values for each example of the batch and given to the model as a cache, eager
attention, the backbone's dropout on, AdamW, clipping. A bare loop: their Trainer's own overhead is left out."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import DynamicCache

from experiments.benchmark.work import MAX_LENGTH, Contestant, Work, encoder, padded


class Prefix(nn.Module):
    """Their BertPrefixForSequenceClassification."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.backbone = encoder(work.shape, 0.1, "eager").requires_grad_(False)
        config = self.backbone.config
        self.length, self.layers, self.heads = work.length, config.num_hidden_layers, config.num_attention_heads
        self.prefix = nn.Embedding(self.length, self.layers * 2 * config.hidden_size)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        batch = len(input_ids)
        tokens = torch.arange(self.length, device=input_ids.device)[None].expand(batch, -1)
        table = self.prefix(tokens).view(batch, self.length, self.layers * 2, self.heads, -1)
        keys_and_values = self.dropout(table).permute(2, 0, 3, 1, 4).split(2)
        cache = DynamicCache([(layer[0], layer[1]) for layer in keys_and_values])
        mask = torch.cat([attention_mask.new_ones(batch, self.length), attention_mask], dim=1)
        pooled = self.backbone(input_ids=input_ids, attention_mask=mask, past_key_values=cache).pooler_output
        return nn.functional.cross_entropy(self.classifier(self.dropout(pooled)), labels)


def prepare(work: Work) -> Contestant:
    model = Prefix(work).to(work.device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3)

    def epoch() -> None:
        order = np.random.default_rng(0).permutation(len(work.examples))
        for start in range(0, len(order), work.batch_size):
            rows = order[start : start + work.batch_size]
            batch = {key: value.to(work.device) for key, value in padded(work, rows, MAX_LENGTH).items()}
            model(**batch).backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return lambda: epoch
