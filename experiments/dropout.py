"""What switching the frozen backbone's dropout off does to accuracy, paired over seeds.

    python -m experiments.run -m experiment=dropout      # train what is missing
    python -m experiments.dropout                        # records -> results/tables/dropout.md

The difference is taken seed by seed; beside it stands the 95 % interval of Student's t over the seeds.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence

import pandas as pd
from scipy import stats

from ptuning import launch, records, report
from ptuning.config import RunConfig
from ptuning.errors import InputError

RULE = "best_dev"


def rows(runs: Sequence[RunConfig]) -> list[list[str]]:
    """One line a task: the scores with and without, and their difference."""
    lines = []
    for task in dict.fromkeys(run.task.name for run in runs):
        rates = sorted({run.train.backbone_dropout for run in runs if run.task.name == task})
        if len(rates) != 2:
            raise InputError(
                f"train.backbone_dropout={rates} is refused: the table compares two rates, 0 and another."
            )
        cells, scores = [], []
        for rate in rates:
            group = [run for run in runs if run.task.name == task and run.train.backbone_dropout == rate]
            cells.append(report.cell(group, RULE))
            scores.append(_scores(group))
        lines.append([task, *(cell.text for cell in cells), difference(scores[0], scores[1])])
    return lines


def _scores(runs: Sequence[RunConfig]) -> dict[int, float]:
    """The score of each seed that has one."""
    found = {run.seed: records.find(run) for run in runs}
    chosen = {seed: records.chosen(record, RULE) for seed, record in found.items() if record is not None}
    return {seed: one[1] for seed, one in chosen.items() if one is not None}


def difference(off: dict[int, float], on: dict[int, float]) -> str:
    """Off minus on over the seeds that both have, with its 95 % interval; a gap with fewer than two."""
    gaps = [off[seed] - on[seed] for seed in sorted(off.keys() & on.keys())]
    if len(gaps) < 2:
        return "--"
    half = stats.t.ppf(0.975, len(gaps) - 1) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    mean = statistics.fmean(gaps)
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"


def main() -> None:
    overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    try:
        runs = launch.expand(["experiment=dropout", *overrides])
        made = rows(runs)
    except InputError as error:
        sys.exit(f"error: {error}")
    columns = ["Task", "dropout 0", "dropout 0.1", "difference [95 %]"]
    seeds = len({run.seed for run in runs})
    notes = [
        f"P-Tuning v2 on {runs[0].backbone.name}, accuracy on the dev set in percent, mean ± sample standard "
        f"deviation over {seeds} seeds, epoch chosen by {RULE}; the difference is paired by seed."
    ]
    text = report.markdown(pd.DataFrame(made, columns=columns), notes)
    files = {run.train.backbone_dropout: [] for run in runs}  # type: dict[float, list[str]]
    for run in runs:
        files[run.train.backbone_dropout].append(records.path(run).name)
    written = report.write(runs[0].runtime.results / "tables", "dropout", {"md": text}, {"records": files})
    print(text)
    print("written: " + ", ".join(map(str, written)))


if __name__ == "__main__":
    main()
