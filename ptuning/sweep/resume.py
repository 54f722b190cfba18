"""What of a sweep is there already, and what has to be trained before the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.records import store, weights
from ptuning.records.identity import run_id
from ptuning.records.record import Record


def _can_stand(config: RunConfig, record: Record) -> bool:
    """Whether the weights that are asked for are there too, where there can be any. Raises InputError for a record of
    other local data."""
    file = store.path(config)
    if config.data.source == "local" and record["data"]["fingerprint"] != splits.fingerprint_of(config):
        raise InputError(f"{file} was made from other data than data.root={config.data.root}: move it, or the data.")
    return not config.runtime.save or record["status"] == "diverged" or weights.path(config).exists()


def finished(config: RunConfig) -> Record | None:
    """The record that stands for the run, None where there is none, or it is without the weights that are asked for:
    the run is then trained again. Raises InputError for a record of other data."""
    record = store.find(config)
    return record if record is not None and _can_stand(config, record) else None


def with_sources(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """`configs` and before them, once each, the runs of the stage before that they need: of those without a record."""
    needed = [config.parent_run for config in configs if not done(config)]
    parents = [parent for parent in needed if parent is not None]
    # A stage keeps its weights, whoever else asks for that run.
    before = {run_id(parent): parent for parent in parents}
    return list(({run_id(config): config for config in [*parents, *configs]} | before).values())


def done(config: RunConfig) -> bool:
    """Whether there is a record that stands for the run. Raises InputError as `finished` does."""
    return finished(config) is not None
