"""Records as finished runs and evaluations write them, of scores that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import EvaluationConfig, RunConfig
from ptuning.records import store
from ptuning.records.identity import run_id
from ptuning.records.record import Record


def fake_record(config: RunConfig, scores: Sequence[float], status: str = "finished", source: str = "local") -> Record:
    """With as many evaluations as there are scores: of a finished run the last is at its end, else one is an epoch."""
    many = len(scores) if status == "finished" else 1
    of = "epochs" if config.train.steps is None else "steps"
    end = getattr(config.train, of) if status == "finished" else 1
    steps = [{} if of == "epochs" else {"step": end * i // many} for i in range(1, len(scores) + 1)]
    return {
        "id": run_id(config),
        "status": status,
        "config": store.dump(config),
        "metric": "accuracy",
        "score": max(scores, default=None),
        "history": [
            {"epoch": end * i / many, "dev": {"accuracy": score}} | steps[i - 1] for i, score in enumerate(scores, 1)
        ],
        "parameters": {"trained": 31, "total": 10000, "share": 0.0031},
        "data": {"source": source, "fingerprint": "x", "train_examples": 500, "dev_examples": 8},
    }


def to_the_end(config: RunConfig, history: list[Record]) -> list[Record]:
    """The history of a finished run of so many epochs, whose last line is at their end."""
    if history:
        history[-1]["epoch"] = max(history[-1]["epoch"], config.train.epochs)
    return history


def fake_evaluation(config: EvaluationConfig, score: float) -> Record:
    """Of one prompt."""
    scores = {"dev": {"accuracy": score}, "tests": {}}
    return {
        "kind": "evaluation",
        "id": run_id(config),
        "status": "finished",
        "config": store.dump(config),
        "metric": "accuracy",
        "scores": scores,
        "mean": scores,
        "best": scores,
        "prompts": [one.model_dump() | {"record": "x.json", "scores": scores} for one in config.prompts],
        "score": score,
        "data": {"source": "miniature", "fingerprint": "x", "dev_examples": 8},
    }
