"""What of a sweep is done.

python -m experiments.status experiment=p_tuning_v2/table2 profile=laptop
"""

from __future__ import annotations

import sys
from collections import Counter

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.status")

from experiments.output import escape_unprintable
from ptuning.config import Recorded
from ptuning.errors import InputError
from ptuning.launch import arguments, compose, evaluations
from ptuning.records import matching, store
from ptuning.records.identity import run_name
from ptuning.records.settings import told_apart
from ptuning.sweep.resume import with_sources


def state(config: Recorded) -> str:
    """The status in its record; failed or missing where there is none."""
    record = store.find(config)
    if record is not None:
        return str(record["status"])
    return "failed" if store.failure_path(config).exists() else "missing"


def main() -> None:
    escape_unprintable()
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return
    try:
        overrides = [argument for argument in arguments.read(sys.argv[1:]) if not argument.startswith("-")]
        runs = with_sources(compose.expand(overrides))
        asked: list[Recorded] = [*runs, *evaluations.expand(overrides)]
        states, unchecked = {run_name(one): state(one) for one in asked}, matching.not_here(runs)
        told = dict(zip(map(run_name, runs), told_apart([store.dump(run) for run in runs]), strict=True))
    except InputError as error:
        sys.exit(f"error: {error}")
    for name, one in states.items():
        print(f"{one:14} {name}  {told.get(name, '')}".rstrip())
    for sentence in unchecked:
        print(sentence)
    print(", ".join(f"{count} {one}" for one, count in Counter(states.values()).most_common()))


if __name__ == "__main__":
    main()
