"""Figure 1 of Prompt Tuning: score against the backbone's size.

    python -m experiments.run -m experiment=prompt_tuning/figure1 profile=laptop     # train what is missing
    python -m experiments.papers.prompt_tuning.figure1 profile=laptop                       # records -> figure

The paper's points are averages of SuperGLUE, and are not at hand; what its authors say that a released prompt scores
stands beside ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.artefacts import methods, published
from experiments.artefacts.figure import Figure, Point, Spot, backbone_sizes
from ptuning.config import RunConfig


class Size(Figure):
    experiment = "prompt_tuning/figure1"
    title = "Prompt Tuning, Figure 1: size of the backbone"
    caption = (
        "Prompt Tuning and fine-tuning, both answering by the language-model head, against the backbone's size "
        "(Prompt Tuning, Figure 1). The packaged backbones differ in family and in what they were tuned for before "
        "(flan_t5_small for these very tasks), so that size is confounded with both."
    )
    x = "backbone"
    width = 4.5

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        sizes = backbone_sizes(runs)
        return [
            (Spot(run.task.name, methods.label(run), sizes.get(run.backbone.name, math.nan), run.backbone.name), run)
            for run in runs
        ]

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        marks = published.CONFIDENCE
        said = [
            f"{one['task']} {one['value']}{marks[one['confidence']]} ({one['method']}, {one['model']})"
            for one in published.read(self.experiment)
        ]
        return [
            *super().notes(runs),
            "The paper's points, averages of SuperGLUE, are not at hand. Of prompts that its authors released they "
            f"say: {'; '.join(said)}. {published.SOURCE}",
        ]

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        super().axis(axes, points)
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_xlabel("backbone, by its parameters")


FIGURE = Size()

if __name__ == "__main__":
    FIGURE.main()
