"""Figures of what a prompt starts from: another task's prompt, or none."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.artefacts.figure import Spot
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name

BASELINE = "no source"


def source_of(run: RunConfig) -> str:
    """The task that a run's prompt comes from. Raises InputError for a run that starts from several prompts, or from
    one of its own task that its config does not name."""
    if not run.sources:
        return BASELINE
    if len(run.sources) > 1:
        raise InputError(
            f"{run_name(run)} starts from several prompts, so it has no place in this figure: leave it out."
        )
    (source,) = run.sources.values()
    if source.task is None:
        raise InputError(f"{run_name(run)} starts from a prompt of its own task: name another in sources.<name>.task.")
    return source.task.name


def spots_by_source(runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
    """Each run where its source (a row) meets its own task (a column), in the panel of its backbone. Raises InputError
    as `source_of` does."""
    sources = list(map(source_of, runs))
    places = {name: at for at, name in enumerate(dict.fromkeys(sources))}
    return [
        (Spot(run.backbone.name, run.single.name, places[source], source), run)
        for run, source in zip(runs, sources, strict=True)
    ]
