"""The work: texts of a task's real lengths, random tokens, and encoders of real shapes with random weights (neither
the words nor the weights change how long a step takes)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

from ptuning.backbones import tiny
from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig
from ptuning.data.encoded import Encoded
from ptuning.launch import compose

MAX_LENGTH = 128  # the authors'
LENGTHS = Path(__file__).parent / "lengths"
SHAPES: dict[str, tuple[type[PreTrainedConfig], dict[str, int]]] = {
    "minilm_l6": (BertConfig, {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12,
                               "intermediate_size": 1536}),
    "bert_large": (BertConfig, {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16,
                                "intermediate_size": 4096}),
    "roberta_large": (RobertaConfig, {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16,
                                      "intermediate_size": 4096, "vocab_size": 50265, "max_position_embeddings": 514,
                                      "type_vocab_size": 1}),
}  # fmt: skip


Epoch = Callable[[], None]  # trains one epoch of the work
Contestant = Callable[[], Epoch]  # makes an epoch ready, what needs no measuring done


@dataclass(frozen=True)
class Work:
    """What every contestant does: one epoch over `examples`, on a backbone of `shape`, with prompts of `length`."""

    task: str
    shape: str
    examples: Encoded
    device: torch.device
    batch_size: int = 32
    length: int = 20

    @property
    def tokens(self) -> int:
        """Real tokens, padding apart."""
        return int(self.examples.lengths.sum())

    @property
    def precision(self) -> torch.dtype:
        """Of the backbone, where a contestant does not say."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32


def texts(task: str, count: int) -> Encoded:
    """`count` examples whose lengths are spread as the task's are, cut to MAX_LENGTH, in no order."""
    with (LENGTHS / f"{task}.csv").open() as file:
        rows = [(int(row["tokens"]), int(row["examples"])) for row in csv.DictReader(file)]
    tokens, counts = np.array(rows).T
    known = np.repeat(tokens, counts)
    random = np.random.default_rng(0)
    spread = np.quantile(np.minimum(known, MAX_LENGTH), (np.arange(count) + 0.5) / count, method="nearest")
    lengths = random.permutation(spread)
    total = int(lengths.sum())
    ends = lengths.cumsum()
    return Encoded(
        tokens=random.integers(1000, 1500, total, dtype=np.int32),
        types=np.zeros(total, dtype=np.int8),
        starts=np.concatenate([[0], ends]),
        infix=lengths // 2,
        targets=random.integers(0, 2, count),
        target_starts=np.arange(count + 1),
        owners=np.arange(count),
        reads=np.zeros((count, 1), dtype=int),
    )


def settings(shape: str, dropout: float) -> PreTrainedConfig:
    kind, sizes = SHAPES[shape]
    return kind(**sizes, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)


def encoder(shape: str, dropout: float, attention: str) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModel.from_config(settings(shape, dropout), attn_implementation=attention)


def classifier(shape: str, dropout: float) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(settings(shape, dropout))


def backbone(work: Work, dropout: float = 0.0, precision: torch.dtype | None = None) -> Backbone:
    """Ours: frozen, in `precision`, the work's where it is None."""
    model = encoder(work.shape, dropout, "prompted_sdpa")
    model.pooler = None
    made = Backbone(model, tiny.tokenizer("bert", pad_id=model.config.pad_token_id), None).to(work.device)
    made.cast_frozen(precision or work.precision)
    return made


def padded(work: Work, rows: np.ndarray, width: int | None = None) -> dict[str, torch.Tensor]:
    """Examples as the other contestants read them, padded to `width` or to the longest of them."""
    examples = work.examples
    width = width or int(examples.lengths[rows].max())
    ids = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : examples.lengths[row]] = examples.tokens[examples.starts[row] : examples.starts[row + 1]]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy((ids > 0).astype(np.int64)),
        "labels": torch.from_numpy(examples.targets[rows]),
    }


def run_configs(work: Work, lanes: int, method: str = "p_tuning_v2", **prompt: str | int) -> list[RunConfig]:
    """Runs of ours on this work, of different seeds and learning rates; backbone and texts are given to them directly.
    `prompt` is what of the method's prompt is not as conf/ has it; its length is the work's where it does not say."""
    (config,) = compose.expand(
        [
            "backbone=tiny_bert", "data=miniature", "task=rte", f"method={method}",
            *(f"prompt.{key}={value}" for key, value in {"length": work.length, **prompt}.items()),
            f"train.batch_size={work.batch_size}", "train.epochs=1", f"task.max_length={MAX_LENGTH}",
        ]
    )  # fmt: skip
    return [
        config.model_copy(
            update={"seed": seed, "train": config.train.model_copy(update={"lr": 1e-3 * (1 + seed % 4)})}
        )
        for seed in range(lanes)
    ]
