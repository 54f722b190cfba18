"""A task's data for one run: rows from one source, capped or drawn, as examples."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from ptuning import tasks
from ptuning.config import DataConfig, Recorded, TaskConfig
from ptuning.data import sampling, sources
from ptuning.errors import InputError, Refusals
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.base import OFFICIAL_DEV, AnyTask
from ptuning.tasks.kinds.examples import Example


@dataclass(frozen=True)
class TaskData:
    train: list[Any]
    dev: list[Any]
    source: str
    fingerprint: str  # SHA-256 over the rows used
    tests: dict[str, list[Any]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # by split: `Task.counts`
    quirks: dict[str, dict[str, int]] = field(default_factory=dict)  # by split: how often each occurs
    drawn: dict[str, Any] = field(default_factory=dict)  # by `data.sample_seed`, where it draws: what `_sampled` says
    answers: tuple[str, ...] = ()  # of all rows, those that no cap uses too: `Task.answers`

    @property
    def oddities(self) -> str:
        """The quirks in one line, empty where there are none."""
        return "; ".join(
            f"{split}: " + ", ".join(f"{count} {quirk}" for quirk, count in counted.items())
            for split, counted in self.quirks.items()
        )

    def examples(self, split: str) -> list[Any]:
        """Those of `dev`, or of a test set by its name."""
        return self.dev if split == "dev" else self.tests[split]

    def only(self, keep: Callable[[Sequence[Any]], list[Any]], others: str) -> TaskData:
        """With those examples that `keep` keeps; how many it does not is a quirk called `others`. Raises InputError
        where a split is left none."""
        splits = {"train": self.train, "dev": self.dev, **self.tests}
        kept = {split: keep(examples) for split, examples in splits.items()}
        left_out = {split: len(examples) - len(kept[split]) for split, examples in splits.items()}
        if empty := [split for split, examples in kept.items() if not examples]:
            raise InputError(
                f"all {left_out[empty[0]]} {empty[0]} examples are {others}: give it others, or another backbone."
            )
        quirks = {
            split: self.quirks.get(split, {}) | ({others: left_out[split]} if left_out[split] else {})
            for split in splits
        }
        return replace(
            self, train=kept.pop("train"), dev=kept.pop("dev"), tests=kept,
            quirks={split: counted for split, counted in quirks.items() if counted},
        )  # fmt: skip


def load(task: AnyTask, data: DataConfig) -> TaskData:
    """Raises InputError where the source does, for malformed rows, for a split without examples, and where more rows
    are to be drawn than there are."""
    return read(task, data)[1]


def read(task: AnyTask, data: DataConfig) -> tuple[AnyTask, TaskData]:
    """The task, with the labels of its data where it has none of its own, and its data. Raises InputError as `load`
    does."""
    official = sources.rows(task, data)
    if found := task.found_labels(official):
        task = task.with_labels(found)
    return task, _loaded(task, data, official)


def _loaded(task: AnyTask, data: DataConfig, official: dict[str, Rows]) -> TaskData:
    rows = {split: _usable(task, found) for split, found in official.items()}
    drawn: dict[str, Any] = {}
    left_out = {split: len(found) - len(rows[split]) for split, found in official.items()}
    if data.sample_seed:
        rows, drawn = _sampled(task, data, rows)
    caps = {"train": data.train_rows, "dev": data.dev_rows}
    if data.dev_from == "train":
        caps |= {"dev": None, OFFICIAL_DEV: data.dev_rows}
    used = {split: capped(found, caps.get(split, data.test_rows)) for split, found in rows.items()}
    refusals = Refusals()
    examples = {split: _examples(task, chosen, refusals) for split, chosen in used.items()}
    refusals.raise_any()
    for split, found in examples.items():
        if not found:
            raise InputError(f"data.source={data.source}: {task.name} has no {split} examples, give it some.")
    counts = {split: counted for split, found in examples.items() if (counted := task.counts(found))}
    answers = task.answers(official)
    hashed = dict(used)
    if answers:  # which rows that are not used have a part in
        hashed["answers"] = [("", {"answers": list(answers)})]
    return TaskData(
        examples.pop("train"), examples.pop("dev"), data.source, fingerprint(hashed), examples, counts,
        _quirks(task, used, left_out), drawn, answers,
    )  # fmt: skip


def _usable(task: AnyTask, rows: Rows) -> Rows:
    """All of them, but for those without a label where the task leaves such out."""
    return [one for one in rows if one[1].get("label") is not None] if task.leaves_out_unlabelled else rows


def _sampled(task: AnyTask, data: DataConfig, rows: dict[str, Rows]) -> tuple[dict[str, Rows], dict[str, Any]]:
    """The splits with training rows drawn in the place of all, and where they are to be, dev rows beside them, the
    official dev set then being a test set; and for the record, how many of how many were drawn, by label where each
    row has one. Raises InputError for a malformed row, and where there are too few."""
    official, count = rows["train"], data.train_rows
    assert count is not None  # the config has seen to that
    names = ["train", "dev"] if data.dev_from == "train" else ["train"]
    if count * len(names) > len(official):
        beside = " and as many for dev (data.dev_from=train)" if len(names) > 1 else ""
        raise InputError(
            f"data.train_rows={count}{beside} cannot be drawn: {task.name} has {len(official)} train rows, ask for "
            f"{len(official) // len(names)} at most."
        )
    labels = [_label(task, row, where) for where, row in official]
    places = dict(zip(names, sampling.draw(labels, count, data.sample_seed, len(names)), strict=True))
    tests = {OFFICIAL_DEV: rows["dev"]} if len(names) > 1 else {}
    drawn = {split: [official[place] for place in found] for split, found in places.items()}
    said = {
        split: len(found) if None in labels else dict(Counter(labels[place] for place in found))
        for split, found in places.items()
    }
    return tests | rows | drawn, {"seed": data.sample_seed, "of": len(official), **said}


def _label(task: AnyTask, row: Row, where: str) -> str | None:
    """The row's label, by name, where it has one."""
    match _labelled_examples(task, row, where):
        case [Example(label=label, group=())]:
            return task.labels[label]
    return None


def _examples(task: AnyTask, rows: Sequence[tuple[str, Row]], refusals: Refusals) -> list[Any]:
    """Those of the rows that are in order: malformed ones, and those whose examples the metric would group with
    another row's, are `refusals`."""
    found: list[Any] = []
    known: dict[int, str] = {}  # where a group's number stands
    for where, row in rows:
        with refusals.gather():
            examples = _labelled_examples(task, row, where)
            _check_groups(examples, where, known)
            found += examples
    return found


def _check_groups(examples: Sequence[Any], where: str, known: dict[int, str]) -> None:
    """Raise InputError where the number of a group stands in another row, of those in `known`, which grows by them."""
    for number in {example.group[0] for example in examples if getattr(example, "group", ())}:
        if number in known:
            raise InputError(
                f"{where}: idx={number} is that of {known[number]} as well, and answers are grouped by it: give "
                "each row its own."
            )
        known[number] = where


def _quirks(
    task: AnyTask, used: dict[str, list[tuple[str, Row]]], left_out: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """What is odd about the rows, and read all the same or left out: by split, how often."""
    train = {_content(row) for _, row in used["train"]}
    found = {}
    for split, rows in used.items():
        counted = Counter(quirk for _, row in rows for quirk in task.quirks(row))
        counted["official rows without a label, left out"] = left_out.get(split, 0)
        if split != "train":
            counted[f"of {len(rows)} rows that stand in train as well"] = sum(
                _content(row) in train for _, row in rows
            )
        found[split] = {quirk: count for quirk, count in counted.items() if count}
    return {split: counted for split, counted in found.items() if counted}


def _content(row: Row) -> str:
    """What a row says, whatever its number and place."""
    said = {key: value for key, value in row.items() if key not in ("idx", "id", "places")}
    return json.dumps(said, sort_keys=True)


def _labelled_examples(task: AnyTask, row: Row, where: str) -> list[Any]:
    found = task.examples(row, where)
    if not all(example.labelled for example in found):
        raise InputError(f"{where}: the row has no label, as in test sets: use a labelled split.")
    return found


def load_for_run(config: Recorded) -> tuple[AnyTask, TaskData]:
    """A run's task and data, read once for all runs that use them. Raises InputError as `load` does."""
    return _load_cached(config.task.model_dump_json(), config.data.model_dump_json())


def fingerprint_of(config: Recorded) -> str:
    """The fingerprint of all the data of a run, every set of a mixture included. Raises InputError as `load` does."""
    return combined_fingerprint([load_for_run(member)[1].fingerprint for member in config.by_task.values()])


def combined_fingerprint(fingerprints: Sequence[str]) -> str:
    """One fingerprint for several sets."""
    if len(fingerprints) == 1:
        return fingerprints[0]
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()


@lru_cache(maxsize=32)
def _load_cached(task: str, source: str) -> tuple[AnyTask, TaskData]:
    found = tasks.of(TaskConfig.model_validate_json(task))
    return read(found, DataConfig.model_validate_json(source))


def capped(rows: Sequence[tuple[str, Row]], cap: int | None) -> list[tuple[str, Row]]:
    """`cap` rows in their own order, the same ones for every run, and all of them within any larger cap.

    Rows are official rows, so that all answers to a MultiRC question stay together.
    """
    if cap is None or cap >= len(rows):
        return list(rows)
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    return [rows[index] for index in sorted(order[:cap])]


def fingerprint(used: dict[str, list[tuple[str, Row]]]) -> str:
    """The SHA-256 of the rows used, split by split."""
    # Without "places", a row's file and lines: where it stands is not what it says.
    content = {
        split: [{key: value for key, value in row.items() if key != "places"} for _, row in rows]
        for split, rows in used.items()
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
