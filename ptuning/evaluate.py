"""What trained adapters answer, and how well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ptuning.backbone import Backbone
from ptuning.lanes import Adapter, Lane, Prepared, forward


def predict(backbone: Backbone, adapter: Adapter, examples: Sequence[Prepared], sequences: int) -> np.ndarray:
    """Logits `[N, labels]` in the order of `examples`, about `sequences` sequences at a time, of similar length."""
    if not examples:
        return np.zeros((0, len(adapter.task.labels)), dtype=np.float32)
    was_training = backbone.training
    backbone.eval()
    adapter.eval()
    size = max(1, sequences // len(examples[0].rows))
    order = sorted(range(len(examples)), key=lambda index: examples[index].width)
    chunks = []
    with torch.inference_mode():
        for start in range(0, len(order), size):
            part = [examples[index] for index in order[start : start + size]]
            chunks.append(forward(backbone, [(adapter, part)])[0].float())
    ranked = torch.cat(chunks).cpu().numpy()
    logits = np.empty_like(ranked)
    logits[order] = ranked
    backbone.train(was_training)
    adapter.train(was_training)
    return logits


def evaluate(backbone: Backbone, lane: Lane) -> dict[str, float] | None:
    """The official metrics of `lane` on its development set, in percent; None where its answers are not finite."""
    logits = predict(backbone, lane.adapter, lane.dev, lane.config.runtime.eval_batch_size)
    if not np.isfinite(logits).all():
        return None
    return lane.task.score(lane.data.dev, logits)
