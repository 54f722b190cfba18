"""What is said at the end of a launch: which runs failed, why, and how each is run again; and what is kept."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.records import store
from ptuning.records.identity import run_name

LISTED = 20  # failed runs with their commands, which take time to find


def failures(runs: Sequence[RunConfig], began: float, overrides: Sequence[str]) -> list[str]:
    """A line on each of the `runs` that has failed since `began`, in whatever process, and one with its command;
    `overrides` are those of the launch."""
    failed = [run for run in runs if _failed_since(run, began)]
    lines = [line for run in failed[:LISTED] for line in _failure(run, overrides)]
    if len(failed) > LISTED:
        lines.append(f"and {len(failed) - LISTED} more: {store.folder(failed[0])}/*.failed.json")
    return [f"{len(failed)} run(s) failed:", *lines] if failed else []


def _failed_since(run: RunConfig, began: float) -> bool:
    file = store.failure_path(run)
    return file.is_file() and file.stat().st_mtime >= began


def _failure(run: RunConfig, overrides: Sequence[str]) -> list[str]:
    failure = store.find_failure(run)
    if failure is None:
        return [f"  {run_name(run)}: see {store.failure_path(run)}"]
    try:
        again = rerun.command(failure, overrides)
    except InputError as error:
        again = str(error)
    return [f"  {run_name(run)}: {failure['reason']}", f"    {again}"]


def kept(runs: Sequence[RunConfig], missing: Sequence[RunConfig]) -> str:
    """What there is of `runs` after an early end."""
    if not runs:
        return "nothing was begun"
    if not missing:
        return f"all {len(runs)} run(s) have their records"
    there = f"{len(runs) - len(missing)} of {len(runs)} run(s) have their records in {runs[0].runtime.results}/runs"
    return f"{there}, the others are begun anew when this is launched again"
