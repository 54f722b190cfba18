"""Records of any runs as a table: a row for each setting of some keys, the mean and spread over seeds in a column for
each task and set, and a gap where a seed is missing. Knows no particular table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ptuning.analysis.cells import Cell
from ptuning.errors import InputError
from ptuning.records.record import Record, score_of
from ptuning.records.settings import REPEATED, Settings, differing, said

# How the best of several settings is told, from the dev scores of its seeds.
PICKS: dict[str, Callable[[Sequence[float]], float]] = {"mean_dev": statistics.fmean, "median_dev": statistics.median}


def pick(name: str) -> Callable[[Sequence[float]], float]:
    """Raises InputError for a rule that there is not."""
    if name not in PICKS:
        raise InputError(f"pick={name} is unknown: choose one of {', '.join(PICKS)}.")
    return PICKS[name]


@dataclass(frozen=True)
class Entry:
    """A run by its settings, and its record; None where it has none."""

    settings: Settings
    record: Record | None


@dataclass(frozen=True)
class Column:
    """A task's score on one of its sets."""

    task: str
    split: str
    metric: str

    @property
    def title(self) -> str:
        return f"{self.task}: {self.split} {self.metric}"


Values = tuple[Any, ...]


@dataclass(frozen=True)
class SweepTable:
    """`by`: the keys whose values make a row; `rule`: which epoch a run is reported by; `split` and `metric`: the set
    and the score, of each task all sets and its own metric where None."""

    entries: Sequence[Entry]
    by: Sequence[str]
    rule: str = "best_dev"
    split: str | None = None
    metric: str | None = None

    @cached_property
    def rows(self) -> list[Values]:
        """The values of `by`, in their order: numbers by their size."""
        found = {self._values(entry) for entry in self.entries}
        return sorted(found, key=lambda values: [_order(value) for value in values])

    def _values(self, entry: Entry) -> Values:
        return tuple(_hashable(entry.settings.get(key)) for key in self.by)

    @cached_property
    def columns(self) -> list[Column]:
        """Each task's dev set, then its test sets; none for a task that has no record yet."""
        found: dict[Column, None] = {}
        for entry in self.entries:
            record = entry.record
            if record is not None:
                tests = record["data"].get("test_examples", {})
                for split in [self.split] if self.split else ["dev", *tests]:
                    found[Column(entry.settings["task"], split, self.metric or record["metric"])] = None
        return sorted(found, key=lambda one: (one.task, one.split != "dev", one.split))

    def cell(self, row: Values, column: Column) -> Cell | None:
        """None where no run is asked for. Raises InputError where a seed has several runs."""
        mine = self._groups.get((row, column.task))
        if mine is None:
            return None
        self._check_one_a_seed(mine)
        scores = [self._score(entry.record, column) for entry in mine if entry.record is not None]
        there = tuple(score for score in scores if score is not None)
        diverged = len(scores) - len(there)
        return Cell(there, self.expected(column.task), diverged, (), (), None, None, None, 0, False, None)

    def _score(self, record: Record, column: Column) -> float | None:
        return score_of(record, self.rule, column.split, column.metric)

    @cached_property
    def _groups(self) -> Mapping[tuple[Values, str], list[Entry]]:
        found: dict[tuple[Values, str], list[Entry]] = {}
        for entry in self.entries:
            found.setdefault((self._values(entry), entry.settings["task"]), []).append(entry)
        return found

    def expected(self, task: str) -> int:
        """Runs of a cell: as many as the task has seeds."""
        return len({_seed(entry) for entry in self.entries if entry.settings["task"] == task})

    def _check_one_a_seed(self, entries: Sequence[Entry]) -> None:
        keys = [key for key in differing([entry.settings for entry in entries]) if key not in self.by]
        if not keys and len({_seed(entry) for entry in entries}) == len(entries):
            return
        example = f"{keys[0]}={said(entries[0].settings.get(keys[0]))}" if keys else "a folder of other records"
        raise InputError(
            f"{len(entries)} runs of {entries[0].settings['task']} would be one cell, and differ in "
            f"{', '.join(keys) or 'what records do not say'}: add that to by=, or choose among them, such as "
            f"{example}."
        )

    def best(self, within: Sequence[str], how: str) -> list[tuple[Column, Values]]:
        """For each task, and each setting of the keys `within`, the row whose dev scores are best by the rule `how`;
        rows with a gap are not compared. Raises InputError."""
        measure = pick(how)
        found: dict[tuple[Column, Values], tuple[float, Values]] = {}
        for column in (one for one in self.columns if one.split == "dev"):
            for row in self.rows:
                cell = self.cell(row, column)
                if cell is None or cell.mean is None:
                    continue
                group = tuple(value for key, value in zip(self.by, row, strict=True) if key in within)
                value = measure(cell.scores)
                if (column, group) not in found or value > found[column, group][0]:
                    found[column, group] = value, row
        return [(column, row) for (column, _), (_, row) in found.items()]

    def frame(self, mark: Callable[[str], str] = str) -> pd.DataFrame:
        """As it is printed; the best of each column is given to `mark`, where there are several."""
        lines = []
        for row in self.rows:
            cells = [(column, self.cell(row, column)) for column in self.columns]
            texts = ["" if one is None else mark(one.text) if self._is_best(one, column) else one.text
                     for column, one in cells]  # fmt: skip
            lines.append([*map(said, row), *texts])
        return pd.DataFrame(lines, columns=[*self.by, *(column.title for column in self.columns)])

    def _is_best(self, cell: Cell, column: Column) -> bool:
        means = self._means[column]
        return len(means) > 1 and cell.mean is not None and cell.mean == max(means)

    @cached_property
    def _means(self) -> Mapping[Column, list[float]]:
        return {
            column: [one.mean for row in self.rows if (one := self.cell(row, column)) and one.mean is not None]
            for column in self.columns
        }

    def best_frame(self, within: Sequence[str], how: str) -> pd.DataFrame:
        """A row for each task and setting of `within`: what was chosen, and its scores."""
        lines = []
        for column, row in self.best(within, how):
            own = {one.split: one for one in self.columns if one.task == column.task}
            scores = {split: cell.text for split, one in own.items() if (cell := self.cell(row, one))}
            chosen = dict(zip(self.by, map(said, row), strict=True))
            lines.append({"task": column.task, **chosen, "metric": column.metric, **scores})
        return pd.DataFrame(lines).fillna("")

    def long_form(self) -> pd.DataFrame:
        """A row a cell, with numbers."""
        rows = [
            {
                **dict(zip(self.by, map(said, row), strict=True)), "task": column.task, "split": column.split,
                "metric": column.metric, "mean": cell.mean, "std": cell.spread, "runs": len(cell.scores),
                "expected": cell.expected, "diverged": cell.diverged,
            }
            for row in self.rows
            for column in self.columns
            if (cell := self.cell(row, column)) is not None
        ]  # fmt: skip
        return pd.DataFrame(rows)


def _seed(entry: Entry) -> Values:
    return tuple(entry.settings.get(key) for key in REPEATED)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _order(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return not is_number, float(value) if is_number else 0.0, str(value)
