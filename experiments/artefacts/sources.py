"""Figures of what a prompt starts from: another task's prompt, or none."""

from __future__ import annotations

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
