"""Comparing runs: paired over seeds, with an interval that admits how few they are."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from ptuning.config import RunConfig, RuntimeConfig, Source
from ptuning.records import configs, store
from ptuning.records.identity import Document, identity
from ptuning.records.record import score_of

LEVEL = 0.95
ROUNDING = 1e-6  # points of percent in which equal shares of examples may differ


@dataclass(frozen=True)
class Difference:
    """Second minus first, seed by seed, over the seeds that both have; `expected` is how many the sweep asks for."""

    by_seed: Mapping[int, float]
    expected: int

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.by_seed.values()) if self.by_seed else None

    @property
    def alike(self) -> bool:
        """Whether several pairs differ by the same, as few dev examples can make them: that says nothing of seeds."""
        gaps = list(self.by_seed.values())
        return len(gaps) > 1 and max(gaps) - min(gaps) < ROUNDING

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of Student's t over the seeds: seeds vary, the examples scored do not. None for fewer
        than two pairs, for pairs that are all alike, and while a pair is missing or diverged."""
        gaps = list(self.by_seed.values())
        if len(gaps) < max(2, self.expected) or self.alike:
            return None
        half = stats.t.ppf((1 + LEVEL) / 2, len(gaps) - 1) * statistics.stdev(gaps) / math.sqrt(len(gaps))
        middle = statistics.fmean(gaps)
        return middle - half, middle + half

    @property
    def text(self) -> str:
        """`+1.2 [-0.3, +2.7]`; `+1.2 (1/3)` where pairs are missing, `+1.2 (3 alike)`, `+1.2` of one pair; or `--`."""
        if self.mean is None:
            return "--"
        if len(self.by_seed) < self.expected:
            return f"{self.mean:+.1f} ({len(self.by_seed)}/{self.expected})"
        if self.interval is None:
            return f"{self.mean:+.1f}" + (f" ({len(self.by_seed)} alike)" if self.alike else "")
        low, high = self.interval
        return f"{self.mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def difference(
    first: Sequence[RunConfig], second: Sequence[RunConfig], rule: str, split: str = "dev", metric: str | None = None
) -> Difference:
    """How the `second` runs' scores differ from the `first`s', in points of percent. Raises InputError where a record
    cannot be read."""
    before, after = _scores(first, rule, split, metric), _scores(second, rule, split, metric)
    gaps = {seed: after[seed] - before[seed] for seed in sorted(before.keys() & after.keys())}
    return Difference(gaps, max(len(first), len(second)))


def _scores(runs: Sequence[RunConfig], rule: str, split: str, metric: str | None) -> dict[int, float]:
    """The score of each seed that has one."""
    found = {run.seed: record for run in runs if (record := store.find(run)) is not None}
    scores = {seed: score_of(record, rule, split, metric) for seed, record in found.items()}
    return {seed: score for seed, score in scores.items() if score is not None}


@dataclass(frozen=True)
class Pair:
    """Runs that differ in one key alone, those with the first value and those with the second, a run a seed each."""

    first: tuple[RunConfig, ...]
    second: tuple[RunConfig, ...]


def pairs(runs: Sequence[RunConfig], key: str, first: Any, second: Any) -> list[Pair]:
    """The runs whose `key` (`prompt.placement`) has one of the two values, paired with those that are the same in
    everything else, seeds apart, as are the runs that they start from; what has no counterpart is left out. Raises
    InputError where a source's record cannot be read."""
    groups: dict[str, tuple[list[RunConfig], list[RunConfig]]] = {}
    for run in runs:
        value, rest = _split(run, key)
        if value in (first, second):
            group = groups.setdefault(json.dumps(rest, sort_keys=True), ([], []))
            group[value == second].append(run)
    return [Pair(tuple(ones), tuple(others)) for ones, others in groups.values() if ones and others]


def _split(run: RunConfig, key: str) -> tuple[Any, Document]:
    """A run's value of `key`, and the rest of its identity without the seed; in the runs that it starts from neither
    counts."""
    rest = {name: value for name, value in identity(run).items() if name not in ("parent", "sources")}
    value, rest["seed"] = _pop(rest, key), None
    total = sum(source.weight for source in run.source_runs)
    sources = [
        {"run": _source_rest(source, run.runtime, key), "step": source.step, "share": source.weight / total}
        for source in run.source_runs
    ]
    rest["sources"] = sorted(sources, key=lambda one: json.dumps(one, sort_keys=True))  # their order does not count
    return value, rest


def _source_rest(source: Source, runtime: RuntimeConfig, key: str) -> Document | str:
    """Of a source run what `_split` leaves; of one that is given by its id, if it has a record, else the id."""
    if isinstance(source.run, RunConfig):
        return _split(source.run, key)[1]
    found = store.find_id(runtime.results, source.run)
    return source.run if found is None else _split(configs.parse_run(found["config"], runtime), key)[1]


def _pop(identity: dict[str, Any], key: str) -> Any:
    """The value of a dotted key, which is taken out; None where there is no such key."""
    *path, last = key.split(".")
    node: Any = identity
    for part in path:
        node = (node or {}).get(part)
    return (node or {}).pop(last, None)
