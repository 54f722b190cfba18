"""Figure 3 of P-Tuning v2: which layers to prompt.

    python -m experiments.run -m experiment=p_tuning_v2/figure3 profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning_v2.figure3 profile=laptop                       # records -> figure

The paper prompts the same number of layers from the bottom up and from the top down; windows between are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from experiments.artefacts import style
from experiments.artefacts.figure import Figure, Point, Spot
from experiments.artefacts.style import Look
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.prompts import depth
from ptuning.records import store
from ptuning.records.identity import run_name


class Depth(Figure):
    experiment = "p_tuning_v2/figure3"
    title = "Figure 3: prompt depth"
    caption = "P-Tuning v2 with prompts in some of the layers only, 1 being the lowest (P-Tuning v2, Figure 3)."
    x = "prompted layers"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        totals = {name: _total([run for run in runs if run.backbone.name == name]) for name in _backbones(runs)}
        return [(spot, run) for run in runs for spot in _spots(run, totals[run.backbone.name])]

    def series(self, points: Sequence[Point]) -> dict[str, Look]:
        return {"from the bottom": style.LOOKS[1], "from the top": style.LOOKS[0], "in between": style.LOOKS[2]}

    def is_line(self, points: Sequence[Point]) -> bool:
        return points[0].spot.series != "in between"

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        counts = sorted({point.spot.x for point in points})
        axes.set(xticks=counts, xticklabels=[f"{count:g}" for count in counts], xlabel="number of prompted layers")
        axes.margins(x=0.15)
        words: dict[tuple[float, float], dict[str, None]] = {}
        for point in points:
            if point.cell.mean is not None:
                words.setdefault((point.spot.x, point.cell.mean), {})[point.spot.label] = None
        for place, labels in words.items():
            axes.annotate(", ".join(labels), place, xytext=(5, 5), textcoords="offset points", fontsize=8)


def _spots(run: RunConfig, total: int) -> list[Spot]:
    prompted = depth.layers(_layers(run), total)
    joined = len(prompted) == prompted[-1] - prompted[0] + 1
    series = ["from the bottom"] * (joined and prompted[0] == 1) + ["from the top"] * (
        joined and prompted[-1] == total
    )
    range_ = "-".join(str(end) for end in dict.fromkeys((prompted[0], prompted[-1])))
    label = str(_layers(run)) if not joined else "all" if len(series) == 2 else range_
    panel = f"{run.task.name}, {run.backbone.name}"
    return [Spot(panel, one, len(prompted), label) for one in series or ["in between"]]


def _backbones(runs: Sequence[RunConfig]) -> list[str]:
    return list(dict.fromkeys(run.backbone.name for run in runs))


def _total(runs: Sequence[RunConfig]) -> int:
    """The layers of the backbone of `runs`: as a record says, else the highest that one of them names."""
    found = [record for run in runs if (record := store.find(run)) is not None]
    if found:
        return int(found[0]["backbone"]["layers"])
    named = [int(number) for run in runs for number in re.findall(r"\d+", str(_layers(run)))]
    if not named:
        raise InputError(f"figure3: no run says how many layers {runs[0].backbone.name} has: train one of them.")
    return max(named)


def _layers(run: RunConfig) -> Any:
    layers = (run.prompt or {}).get("layers")
    if layers is None:
        raise InputError(f"{run_name(run)} has no prompt.layers, so no place in figure3: leave it out.")
    return layers


FIGURE = Depth()

if __name__ == "__main__":
    FIGURE.main()
