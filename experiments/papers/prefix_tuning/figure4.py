"""Figure 4 of Prefix-Tuning: prefix length.

python -m experiments.run -m experiment=prefix_tuning/figure4 profile=laptop     # train what is missing
python -m experiments.papers.prefix_tuning.figure4 profile=laptop                # records -> figure
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.artefacts import methods
from experiments.artefacts.figure import Figure, Spot
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name


class Length(Figure):
    """A panel a task and backbone."""

    experiment = "prefix_tuning/figure4"
    title = "Prefix-Tuning, Figure 4: prefix length"
    caption = "Prefixes of growing length (Prefix-Tuning, Figure 4). The paper's numbers are not at hand."
    x = "prefix length"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [(self._spot(run), run) for run in runs]

    def _spot(self, run: RunConfig) -> Spot:
        length = (run.prompt or {}).get("length")
        if length is None:
            raise InputError(f"{run_name(run)} has no prompt, so no place in figure4: leave it out.")
        return Spot(f"{run.task.name}, {run.backbone.name}", methods.label(run), length, str(length))


FIGURE = Length()

if __name__ == "__main__":
    FIGURE.main()
