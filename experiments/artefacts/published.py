"""The numbers that papers print, from results/published/, each with a mark that says how sure it is."""

from __future__ import annotations

import csv
from pathlib import Path

from ptuning.errors import InputError

FOLDER = Path(__file__).parents[2] / "results/published"
MARKS = "ˢ from a secondary source, ᵘ not re-read in a source, ᵈ doubtful (results/published/README.md)."
SOURCE = "ᵃ read where it was said, by its authors or whom `source` names."
CONFIDENCE = {"source": "ᵃ", "secondary": "ˢ", "unverified": "ᵘ", "doubtful": "ᵈ"}

Value = dict[str, str]  # a line of the file


def read(experiment: str) -> list[Value]:
    """All numbers of a paper's table, named by its experiment (`p_tuning_v2/table2`). Raises InputError where they
    are missing."""
    path = FOLDER / f"{experiment}.csv"
    if not path.is_file():
        raise InputError(f"{path} is missing: put the paper's own numbers there, as {FOLDER / 'README.md'} says.")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def shown(value: Value) -> str:
    """The number, with the spread that the paper gives it, where it does."""
    return value["value"] + (f" ± {value['std']}" if value.get("std") else "")


def column(value: Value) -> str:
    """The title of its column: task and metric."""
    return f"{value['task']} {value['metric']}"
