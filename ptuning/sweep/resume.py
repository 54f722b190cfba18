"""What of a sweep is there already, and what has to be trained before the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.records import matching, store, weights
from ptuning.records.identity import run_id
from ptuning.records.record import Record


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
    """Whether the run's weights are there, where they are asked for and there can be any."""
    return not config.runtime.save or record["status"] == "diverged" or weights.path(config).exists()


def done(config: RunConfig) -> bool:
    """Whether there is a record that stands for the run. Raises InputError as `finished` does."""
    return finished(config) is not None


def with_sources(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """`configs` and before them, once each, the runs that those of them start from which have no record yet."""
    needed = [config.parent_run for config in configs if not done(config)]
    sources = [source for source in needed if source is not None]
    # A source keeps its weights, whoever else asks for that run.
    saving = {run_id(source): source for source in sources}
    return list(({run_id(config): config for config in [*sources, *configs]} | saving).values())
