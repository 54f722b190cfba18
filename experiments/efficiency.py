"""Score against trained parameters: fine-tuning, input prompts and deep prompts of growing length.

    python -m experiments.run -m experiment=efficiency profile=laptop     # train what is missing
    python -m experiments.efficiency profile=laptop                       # records -> results/figures/

Time and memory against prompt length are measured apart from training runs, by `python -m experiments.benchmark`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from experiments import style
from experiments.comparisons import TITLES
from experiments.figures import Figure, Point, Spot
from ptuning import records
from ptuning.config import RunConfig


class Efficiency(Figure):
    name = "efficiency"
    title = "Score against trained parameters"
    caption = "Fine-tuning, and prompts of growing length (numbers: virtual tokens, a layer where they are deep)."
    x = "trained parameters"
    looks: ClassVar = style.METHODS
    connected = ("PT", "PT-2")

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [(_spot(run), run) for run in runs]

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log")
        for point in points:
            if point.cell.mean is not None:
                axes.annotate(point.spot.label.partition(" (")[0], (point.spot.x, point.cell.mean), xytext=(4, 5),
                              textcoords="offset points", fontsize=8)  # fmt: skip


def _spot(run: RunConfig) -> Spot:
    """Runs that differ in their seeds alone train equally many parameters; 0: no record tells how many."""
    record = records.find(run)
    trained = 0 if record is None else record["parameters"]["trained"]
    length = "all weights" if run.prompt is None else f"length {run.prompt['length']}"
    label = f"{length} ({trained:,})" if trained else length
    return Spot(f"{run.task.name}, {run.backbone.name}", TITLES.get(run.method, run.method), trained, label)


FIGURE = Efficiency()

if __name__ == "__main__":
    FIGURE.main()
