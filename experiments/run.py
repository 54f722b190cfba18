"""Train one run, or with `-m` a sweep of them.

    python -m experiments.run task=rte backbone=minilm_l6 method=p_tuning_v2 prompt.layers=4-6 seed=1
    python -m experiments.run -m method=prompt_tuning,p_tuning_v2 task=cb seed=1,2,3
    python -m experiments.run -m experiment=p_tuning_v2/table2 profile=laptop

Prints each run's score and its record's path; exits with 1 where runs failed, and with 2 where nothing was begun,
because something asked for is wrong. What has a record is not run again. Runs of a sweep that share a
backbone are trained together (`hydra/launcher=packed`, the default); any other Hydra launcher takes them one by one.
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.events import Event, RunEnded, RunFailed
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.pool import end_on_sigterm
from ptuning.sweep.progress import Progress
from ptuning.sweep.resume import done, with_sources
from ptuning.sweep.sweep import sweep

_progress: list[Progress] = []  # of all that was asked for; none where a launcher runs a job in another process


@hydra.main(config_path=str(compose.CONF), config_name="config", version_base="1.3")
def job(composed: DictConfig) -> float | None:
    """One run; a failed one is told of and does not stop the others of a sweep."""
    scores = []
    try:
        config = compose.read(composed)
        (progress,) = _progress or [Progress(with_sources([config]))]

        def listen(event: Event) -> None:
            progress(event)
            if isinstance(event, RunEnded | RunFailed):
                scores.append(event.record["score"] if isinstance(event, RunEnded) else None)

        sweep([config], ["auto"], listen)
    except InputError as error:
        sys.exit(f"error: {error}")
    return scores[-1]  # before it come those of the runs that it starts from


def main() -> None:
    """Check everything that was asked for, then let Hydra run what is missing."""
    if {"-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i"} & set(sys.argv):
        job()
        return
    try:
        runs = with_sources(compose.expand([argument for argument in sys.argv[1:] if not argument.startswith("-")]))
        already = [done(run) for run in runs]
        if len(runs) > 1 and all(already):
            print(f"all {len(runs)} runs are already there: nothing to train")
            return
        RunLocks.check(Run.parse(runs[0]))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    _progress[:] = [Progress(runs)]
    end_on_sigterm()
    job()
    # Asked of the records, since a launcher may have run the jobs in other processes.
    if failed := sum(not store.path(run).exists() for run in runs):
        summary = f"{failed} run(s) have no record; see what is said above and any .failed.json beside the records."
        sys.exit(summary + " They run again next time." if len(runs) > 1 else 1)


if __name__ == "__main__":
    main()
