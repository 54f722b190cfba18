"""What of a sweep is there already, and what has to be trained before the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.records import matching, store, weights
from ptuning.records.identity import run_id
from ptuning.records.record import Record, last_step


def finished(config: RunConfig) -> Record | None:
    """The record that stands for the run; None where there is none, or it lacks the weights that are to be saved: the
    run is then trained again. Raises InputError for a record of another backbone or other local data."""
    record = store.find(config)
    if record is None:
        return None
    matching.check_backbone(config, record)
    matching.check_data(config, record)
    return record if _has_weights(config, record) else None


def _has_weights(config: RunConfig, record: Record) -> bool:
    """Whether the run's weights are there that are asked for, where there can be any."""
    reached = last_step(record)
    steps = [one for one in config.runtime.keep_steps if not (isinstance(one, int) and reached and one > reached)]
    wanted = [*steps, *([None] if config.runtime.save else [])]  # not steps that a run has stopped before
    return record["status"] == "diverged" or all(weights.path(config, step).exists() for step in wanted)


def done(config: RunConfig) -> bool:
    """Whether there is a record that stands for the run. Raises InputError as `finished` does."""
    return finished(config) is not None


def with_sources(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """`configs` and before them, once each, the runs that those without a record start from, and what these start from
    themselves. A run that several ask for keeps the prompts that any of them needs."""
    asked = {run_id(config): config for config in configs}
    found: dict[str, list[RunConfig]] = {}

    def add(config: RunConfig) -> None:
        for source in [] if done(config) else config.source_runs:
            if isinstance(source.run, RunConfig):
                add(source.run)
        found.setdefault(run_id(config), []).append(config)

    for config in configs:
        add(config)
    return [_keeping_all(asked.get(identifier, same[0]), same) for identifier, same in found.items()]


def _keeping_all(config: RunConfig, same: Sequence[RunConfig]) -> RunConfig:
    """`config` with the prompts and weights kept that any of the `same` runs is to keep."""
    keep = {
        "keep_steps": list(dict.fromkeys(step for one in same for step in one.runtime.keep_steps)),
        "save": any(one.runtime.save for one in same),
    }
    return config.model_copy(update={"runtime": config.runtime.model_copy(update=keep)})
