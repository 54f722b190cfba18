"""From records to table cells: the mean and spread over seeds, or a gap. Knows no particular table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ptuning.config import EvaluationConfig, Recorded, RunConfig
from ptuning.errors import InputError
from ptuning.records import store
from ptuning.records.identity import run_name
from ptuning.records.record import Record, choose_line, score_of


@dataclass(frozen=True)
class Cell:
    """What the runs of one table cell gave.

    `scores` holds one score a finished run, in percent; `expected` is how many runs the sweep asks for; `mean` and
    `spread` (sample standard deviation) are None while a run is missing or diverged: a gap is never averaged over.
    """

    scores: tuple[float, ...]
    expected: int
    diverged: int
    records: tuple[str, ...]
    missing: tuple[str, ...]
    source: str | None
    train_examples: int | None
    evaluated: str | None  # how many examples of which set the scores are of
    epochs: int
    capped: bool
    share: float | None
    constant: int = 0  # of the runs, how many give all dev examples one answer

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores) if len(self.scores) == self.expected else None

    @property
    def spread(self) -> float | None:
        return statistics.stdev(self.scores) if self.mean is not None and self.expected > 1 else None

    @property
    def text(self) -> str:
        """`71.2 ± 0.8`, `71.2` of a single run, or a gap: `-- (2/3)`."""
        if self.mean is None:
            gap = f"-- ({len(self.scores)}/{self.expected})"
            return f"{gap} {self.diverged} diverged" if self.diverged else gap
        return f"{self.mean:.1f}" + ("" if self.spread is None else f" ± {self.spread:.1f}")

    @property
    def marked(self) -> str:
        """The text, with the marks of answers that are all the same, and of data that are not the whole, real data."""
        text = f"{self.text} ᶜ" if self.constant else self.text
        if self.source is None:  # no record yet that says what the data are
            return text
        if self.source == "miniature":
            return f"{text} †"
        return f"{text} ‡" if self.capped else text


def cell(configs: Sequence[Recorded], rule: str, split: str = "dev", metric: str | None = None) -> Cell:
    """The cell of `configs` (runs or evaluations), each scored by `metric` (None: its task's) on `split`, a run at the
    epoch that the selection rule named `rule` chooses.

    Raises InputError where a record cannot be read, and where the runs differ in more than their seed.
    """
    _require_one_a_seed([config for config in configs if isinstance(config, RunConfig)])
    found = [(config, store.find(config)) for config in configs]
    done = [(config, record) for config, record in found if record is not None]
    scores = [value for _, record in done if (value := score_of(record, rule, split, metric)) is not None]
    facts: Mapping[str, Any] = done[0][1] if done else {}
    shares = [record["parameters"]["share"] for _, record in done if "parameters" in record]  # evaluations train none
    return Cell(
        scores=tuple(scores),
        expected=len(configs),
        diverged=len(done) - len(scores),
        records=tuple(store.path(config).name for config, _ in done),
        missing=tuple(run_name(config) for config, record in found if record is None),
        source=facts["data"]["source"] if facts else None,
        train_examples=facts["data"].get("train_examples") if facts else None,
        evaluated=_evaluated(facts["data"], split) if facts else None,
        epochs=max((_epochs(config, one) for config, one in found if isinstance(config, RunConfig)), default=0),
        capped=any(config.data.train_rows or config.data.dev_rows or config.data.test_rows for config in configs),
        share=statistics.fmean(shares) if shares else None,
        constant=sum(_is_constant(record, rule) for _, record in done),
    )


def prompts_cell(config: EvaluationConfig, metric: str | None = None) -> Cell:
    """Of the single prompts of an evaluation: their mean and spread on dev, by `metric` (None: its task's)."""
    record = store.find(config)
    found = () if record is None else tuple(_dev(one["scores"], record, metric) for one in record["prompts"])
    return replace(cell([config], "last"), scores=found, expected=len(config.prompts))


def best_cell(config: EvaluationConfig, metric: str | None = None) -> Cell:
    """Of the best single prompt of an evaluation, on the dev set that it is chosen on."""
    record = store.find(config)
    return replace(cell([config], "last"), scores=() if record is None else (_dev(record["best"], record, metric),))


def _dev(scores: Mapping[str, Any], record: Record, metric: str | None) -> float:
    return float(scores["dev"][metric or record["metric"]])


def _is_constant(record: Record, rule: str) -> bool:
    line = choose_line(record, rule)
    return line is not None and line.get("constant") is not None


def _require_one_a_seed(runs: Sequence[RunConfig]) -> None:
    """Or a seed and subset of the training rows (`data.sample_seed`)."""
    seeds = [(run.seed, run.data.sample_seed) for run in runs]
    if len(set(seeds)) < len(seeds):
        raise InputError(
            f"a cell holds one run a seed, and {run_name(runs[0])} has seed {runs[0].seed} more than once: sweep no "
            "other key but data.sample_seed."
        )


def _epochs(config: RunConfig, record: Record | None) -> int:
    """Those that a run is to go through; of one of so many steps those that it has begun."""
    if config.train.epochs is not None:
        return config.train.epochs
    return math.ceil(record["history"][-1]["epoch"]) if record and record["history"] else 0


def published_cell(value: float) -> Cell:
    """A cell for a number that a paper prints: no run stands behind it."""
    return Cell((value,), 1, 0, (), (), None, None, None, 0, False, None)


def average(cells: Sequence[Cell], weights: Sequence[float] | None = None) -> Cell:
    """The mean of several tasks' cells of the same seeds, seed by seed, each task with its weight; a gap, of all their
    runs, while one is missing."""
    runs = tuple(name for cell in cells for name in cell.records)
    missing = tuple(name for cell in cells for name in cell.missing)
    whole = all(cell.mean is not None for cell in cells) and len({cell.expected for cell in cells}) == 1
    scores = zip(*(cell.scores for cell in cells), strict=True) if whole else [cell.scores for cell in cells]
    flat = [statistics.fmean(one, weights) for one in scores] if whole else [score for one in scores for score in one]
    sources = {cell.source for cell in cells}
    return replace(
        cells[0],
        scores=tuple(flat),
        expected=len(flat) if whole else sum(cell.expected for cell in cells),
        diverged=sum(cell.diverged for cell in cells),
        records=runs,
        missing=missing,
        source="miniature" if "miniature" in sources else cells[0].source,
        capped=any(cell.capped for cell in cells),
        constant=sum(cell.constant for cell in cells),
    )


def capped_note(cells: Sequence[tuple[str, Cell]]) -> list[str]:
    """The line that explains the mark of a part of the real data, of cells and what task each is of, where one has
    it."""
    found = dict.fromkeys(
        f"{task}: {cell.train_examples} training examples, {cell.evaluated}"
        for task, cell in cells
        if cell.capped and cell.source not in (None, "miniature")
    )
    return [f"‡ a part of the real data. {'; '.join(found)}."] if found else []


def constant_note(cells: Iterable[Cell]) -> list[str]:
    """The line that explains the mark of answers that are all the same, where a cell has it."""
    runs = sum(cell.constant for cell in cells)
    return [f"ᶜ in {runs} run(s), one answer to all dev examples: such a score is chance."] if runs else []


def has_split(configs: Sequence[RunConfig], split: str) -> bool:
    """Whether the runs' data have `split`, as far as records tell (a miniature lacks some)."""
    found = [record for config in configs if (record := store.find(config)) is not None]
    return split == "dev" or all(split in record["data"].get("test_examples", {}) for record in found)


def _evaluated(data: Mapping[str, Any], split: str) -> str:
    count = data["dev_examples"] if split == "dev" else data["test_examples"][split]
    return f"{count} {split}"
