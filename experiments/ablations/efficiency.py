"""Score against trained parameters: fine-tuning, input prompts and deep prompts of growing length.

    python -m experiments.run -m experiment=ablations/efficiency profile=laptop     # train what is missing
    python -m experiments.ablations.efficiency profile=laptop                       # records -> figure

Time and memory against prompt length are measured apart from training runs, by `make benchmark`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import EngFormatter, LogLocator

from experiments.artefacts import methods
from experiments.artefacts.figure import Figure, Point, Spot
from ptuning.config import RunConfig
from ptuning.records import store

DECADES = 100  # wider axes have ticks at powers of ten alone


class Efficiency(Figure):
    experiment = "ablations/efficiency"
    title = "Score against trained parameters"
    caption = "Fine-tuning, and prompts of growing length (numbers: virtual tokens, a layer where they are deep)."
    x = "trained parameters"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        trained = {_what(run): found["parameters"]["trained"] for run in runs if (found := store.find(run))}
        return [(_spot(run, trained.get(_what(run), math.nan)), run) for run in runs]

    def is_line(self, points: Sequence[Point]) -> bool:
        return len(points) > 1  # fine-tuning has no length

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log")
        for point in points:
            if point.cell.mean is not None:
                words = point.spot.label.partition(" (")[0].removeprefix("length ")
                axes.annotate(words, (point.spot.x, point.cell.mean), xytext=(0, 6), textcoords="offset points",
                              fontsize=8, ha="center")  # fmt: skip
        axes.margins(x=0.12)
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < DECADES * low else (1,)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.minorticks_off()


def _what(run: RunConfig) -> tuple[str, str, str, str]:
    """What runs have in common that train equally many parameters."""
    length = "all weights" if run.prompt is None else f"length {run.prompt['length']}"
    return run.task.name, run.backbone.name, methods.label(run), length


def _spot(run: RunConfig, trained: float) -> Spot:
    task, backbone, method, length = _what(run)
    known = "" if math.isnan(trained) else f" ({trained:,})"
    return Spot(f"{task}, {backbone}", method, trained, length + known)


FIGURE = Efficiency()

if __name__ == "__main__":
    FIGURE.main()
