"""What a record says of its score. It is of a kind: a `run`, or an `evaluation` of prompts that runs have trained."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, cast

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


def choose_epoch(record: Record, rule: str) -> tuple[float, float] | None:
    """The epoch (from 1; a part of one where it was evaluated within) and score by which the selection rule named
    `rule` reports a run; None if it diverged, and for an evaluation, which has no epochs."""
    line = choose_line(record, rule)
    return None if line is None else (line["epoch"], line["dev"][record["metric"]])


def choose_line(record: Record, rule: str) -> Record | None:
    """The line of its history that the rule reports a run by; None as in `choose_epoch`."""
    if record["status"] == "diverged" or kind(record) == "evaluation":
        return None
    scores = [line["dev"][record["metric"]] for line in record["history"]]
    return cast("Record", record["history"][epoch_selection.rule(rule)(scores)])


def place(record: Record, line: Record) -> str:
    """When a line of a run's history was written: `epoch 2.33 of 3`, or `step 40 of 100` of a run of so many steps."""
    train = record["config"]["train"]
    if train.get("steps") is not None:
        return f"step {line['step']} of {train['steps']}"
    return f"epoch {short(line['epoch'])} of {train['epochs']}"


def always(line: Record) -> str:
    """What follows a line's score where all dev examples were given one answer: `, always 'neutral'`; of a text its
    beginning."""
    said = line.get("constant")
    return "" if said is None else f", always {said if len(said) <= 40 else f'{said[:37]}...'!r}"


def short(epoch: float) -> str:
    """`2`, `2.33`."""
    return f"{round(epoch, 2):g}"


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


def mean_scores(prompts: Sequence[Record]) -> Record:
    """Of an evaluation's single prompts the mean of each score, `dev` and `tests`."""
    singles = [one["scores"] for one in prompts]
    return {
        "dev": _mean([one["dev"] for one in singles]),
        "tests": {name: _mean([one["tests"][name] for one in singles]) for name in singles[0]["tests"]},
    }


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {metric: statistics.fmean(one[metric] for one in scores) for metric in scores[0]}


def best_scores(prompts: Sequence[Record], metric: str) -> Record:
    """The scores of an evaluation's best single prompt, the first of equals by `metric` on dev: as the papers report
    it, chosen on the set that it is reported on."""
    return dict(max((one["scores"] for one in prompts), key=lambda scores: scores["dev"][metric]))


def _scores(record: Record, rule: str) -> tuple[str, Record] | None:
    """What a report takes a record's scores from (`dev`, and `tests` by their names), and where that is."""
    if kind(record) == "evaluation":
        return "", record["scores"]
    line = choose_line(record, rule)
    return None if line is None else (f" in epoch {short(line['epoch'])}, the one that {rule} chooses", line)
