"""Figure 3 (d) of Prompt Tuning: steps of adaptation as a language model.

python -m experiments.run -m experiment=prompt_tuning/figure3d profile=laptop     # train what is missing
python -m experiments.papers.prompt_tuning.figure3d profile=laptop                       # records -> figure
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.artefacts.figure import Point
from experiments.papers.prompt_tuning.ablation import Ablation, adaptation
from ptuning.config import RunConfig


class Adaptation(Ablation):
    experiment = "prompt_tuning/figure3d"
    title = "Prompt Tuning, Figure 3 (d): steps of LM adaptation"
    caption = (
        "Prompt Tuning on a backbone that was trained on as a prefix language model for so many steps (Prompt Tuning, "
        "Figure 3 d, which has 0, 10,000, 50,000 and 100,000)."
    )
    x = "steps of LM adaptation"

    def backbone(self, run: RunConfig) -> str:
        return adaptation(run.backbone)[0]

    def at(self, run: RunConfig) -> tuple[float, str]:
        steps = adaptation(run.backbone)[1]
        return steps, f"{steps:,}"

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("symlog", linthresh=100)
        super().axis(axes, points)


FIGURE = Adaptation()

if __name__ == "__main__":
    FIGURE.main()
