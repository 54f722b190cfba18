"""What a record says of its score. It is of a kind: a `run`, or an `evaluation` of prompts that runs have trained."""

from __future__ import annotations

from typing import Any

from ptuning.errors import InputError
from ptuning.training import epoch_selection

Record = dict[str, Any]


def kind(record: Record) -> str:
    """`run` or `evaluation`; the first records, which do not say so, are of runs."""
    return str(record.get("kind", "run"))


def last_step(record: Record) -> int | None:
    """The step of a run's last evaluation; None in the first records, which do not say it, and for an evaluation."""
    history = record.get("history") or [{}]
    step = history[-1].get("step")
    return None if step is None else int(step)


def choose_epoch(record: Record, rule: str) -> tuple[int, float] | None:
    """The epoch (from 1) and score by which the selection rule named `rule` reports a run; None if it diverged, and
    for an evaluation, which has no epochs."""
    if record["status"] == "diverged" or kind(record) == "evaluation":
        return None
    scores = [epoch["dev"][record["metric"]] for epoch in record["history"]]
    index = epoch_selection.rule(rule)(scores)
    return record["history"][index]["epoch"], scores[index]


def score_of(record: Record, rule: str, split: str = "dev", metric: str | None = None) -> float | None:
    """A score on `split`, by `metric` (None: the one that chooses): a run's in the epoch that the rule named `rule`
    chooses, and an evaluation's; None if the run diverged. Raises InputError where the record has no such score."""
    found = _scores(record, rule)
    if found is None:
        return None
    where, line = found
    scores = line["dev"] if split == "dev" else line.get("tests", {}).get(split, {})
    wanted = metric or record["metric"]
    if wanted not in scores:
        raise InputError(
            f"record {record['id']} has no {wanted} on {split}{where}: "
            "delete the record and run it again, or report by the rule that it was run with."
        )
    return float(scores[wanted])


def _scores(record: Record, rule: str) -> tuple[str, Record] | None:
    """What a report takes a record's scores from (`dev`, and `tests` by their names), and where that is."""
    if kind(record) == "evaluation":
        return "", record["scores"]
    found = choose_epoch(record, rule)
    if found is None:
        return None
    line = next(one for one in record["history"] if one["epoch"] == found[0])
    return f" in epoch {found[0]}, the one that {rule} chooses", line
