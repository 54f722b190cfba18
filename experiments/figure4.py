"""Figure 4 of P-Tuning v2: prompt length, and what an MLP reparameterization does.

python -m experiments.run -m experiment=figure4 profile=laptop     # train what is missing
python -m experiments.figure4 profile=laptop                       # records -> results/figures/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from experiments import style
from experiments.figures import Figure, Point, Spot
from ptuning import records
from ptuning.config import RunConfig
from ptuning.errors import InputError

SERIES = {"none": "embedding", "mlp": "MLP"}  # the paper's words


class Length(Figure):
    name = "figure4"
    title = "Figure 4: prompt length and reparameterization"
    caption = (
        "P-Tuning v2 with prompts of growing length, trained as they are (embedding) or produced by an MLP "
        "(P-Tuning v2, Figure 4)."
    )
    x = "prompt length"
    looks: ClassVar = {"embedding": style.LOOKS[0], "MLP": style.LOOKS[1]}
    connected = ("embedding", "MLP")

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [(_spot(run), run) for run in runs]

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log", base=2)
        super().axis(axes, points)


def _spot(run: RunConfig) -> Spot:
    prompt = run.prompt or {}
    series = SERIES.get(prompt.get("reparameterization", ""))
    if series is None:
        raise InputError(f"{records.name(run)} has no place in figure4: sweep prompt.reparameterization=none,mlp.")
    return Spot(f"{run.task.name}, {run.backbone.name}", series, prompt["length"], str(prompt["length"]))


FIGURE = Length()

if __name__ == "__main__":
    FIGURE.main()
