"""What a finished run's record says of its score."""

from __future__ import annotations

from typing import Any

from ptuning.errors import InputError
from ptuning.training import epoch_selection

Record = dict[str, Any]


def choose_epoch(record: Record, rule: str) -> tuple[int, float] | None:
    """The epoch (from 1) and score by which the selection rule named `rule` reports a run; None if it diverged."""
    if record["status"] == "diverged":
        return None
    scores = [epoch["dev"][record["metric"]] for epoch in record["history"]]
    index = epoch_selection.rule(rule)(scores)
    return record["history"][index]["epoch"], scores[index]


def score_of(record: Record, rule: str, split: str = "dev", metric: str | None = None) -> float | None:
    """A score of the epoch that the rule named `rule` chooses: on `split`, by `metric` (None: the one that chooses);
    None if the run diverged. Raises InputError where the record has no such score."""
    found = choose_epoch(record, rule)
    if found is None:
        return None
    epoch = next(one for one in record["history"] if one["epoch"] == found[0])
    scores = epoch["dev"] if split == "dev" else epoch.get("tests", {}).get(split, {})
    wanted = metric or record["metric"]
    if wanted not in scores:
        raise InputError(
            f"record {record['id']} has no {wanted} on {split} in epoch {found[0]}, the one that {rule} chooses: "
            "delete the record and run it again, or report by the rule that it was run with."
        )
    return float(scores[wanted])
