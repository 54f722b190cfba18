"""Records as one table of pandas: a row a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ptuning.records import store
from ptuning.records.record import Record, choose_line, kind
from ptuning.records.settings import settings


def frame(results: Path) -> pd.DataFrame:
    """Every record below `results`, a row each: `file`, `id`, `kind`, `status`, the `metric` and, where the record
    says them, its `dev` score and those of test sets (`test.<name>`) in percent, in the `epoch` that the run is
    reported by, `trained` and `total` parameters and the `seconds` that it took; and behind these its config, by
    dotted keys (`train.lr`), of which `task`, `backbone` and `method` are names. Raises InputError where a file is no
    record."""
    return pd.DataFrame([_row(file, record) for file, record in store.read_all(results)])


def _row(file: Path, record: Record) -> dict[str, Any]:
    said = {key: record.get(key) for key in ("id", "status", "metric")}
    return {"file": str(file), "kind": kind(record), **said, **_scores(record), **_costs(record)} | settings(
        record["config"]
    )


def _scores(record: Record) -> dict[str, Any]:
    """In the epoch that the run's own rule chooses; none where it diverged."""
    line: Record | None = record.get("scores")
    if kind(record) == "run":
        line = choose_line(record, record["config"]["selection"])
    if line is None:
        return {"dev": None}
    tests = {f"test.{name}": scores[record["metric"]] for name, scores in line.get("tests", {}).items()}
    return {"dev": line["dev"][record["metric"]], "epoch": line.get("epoch"), **tests}


def _costs(record: Record) -> dict[str, Any]:
    parameters = record.get("parameters", {})
    return {
        "trained": parameters.get("trained"),
        "total": parameters.get("total"),
        "seconds": record.get("speed", {}).get("seconds"),
    }
