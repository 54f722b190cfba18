"""Records as finished runs write them, of scores that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.records import store
from ptuning.records.identity import run_id
from ptuning.records.record import Record


def fake_record(config: RunConfig, scores: Sequence[float], status: str = "finished", source: str = "local") -> Record:
    """With as many evaluations as there are scores: of a finished run the last is at its end, else one is an epoch."""
    end, many = (config.train.epochs, len(scores)) if status == "finished" else (1, 1)
    return {
        "id": run_id(config),
        "status": status,
        "config": store.dump(config),
        "metric": "accuracy",
        "score": max(scores, default=None),
        "history": [{"epoch": end * i / many, "dev": {"accuracy": score}} for i, score in enumerate(scores, 1)],
        "parameters": {"trained": 31, "total": 10000, "share": 0.0031},
        "data": {"source": source, "fingerprint": "x", "train_examples": 500, "dev_examples": 8},
    }
