"""Figure 4 of P-Tuning v2: prompt length, and what an MLP reparameterization does.

    python -m experiments.run -m experiment=p_tuning_v2/figure4 profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning_v2.figure4 profile=laptop                       # records -> figure

What suits a prompt need not suit the weights of an MLP (the authors' one script with an MLP uses a learning rate of
1e-4, the others 5e-3 to 6e-2), so each rate that a sweep gives the MLP is a series of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.artefacts import style
from experiments.artefacts.figure import Figure, Point, Spot
from experiments.artefacts.style import Look
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name

EMBEDDING = "embedding"  # the paper's word for a prompt without an MLP


class Length(Figure):
    experiment = "p_tuning_v2/figure4"
    title = "Figure 4: prompt length and reparameterization"
    caption = (
        "P-Tuning v2 with prompts of growing length, trained as they are (embedding) or produced by an MLP "
        "(P-Tuning v2, Figure 4)."
    )
    x = "prompt length"

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [(_spot(run), run) for run in runs]

    def series(self, points: Sequence[Point]) -> dict[str, Look]:
        rates = sorted({point.spot.series for point in points} - {EMBEDDING}, key=_rate, reverse=True)
        return dict(zip([EMBEDDING, *rates], style.LOOKS, strict=False))

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log", base=2)
        super().axis(axes, points)


def _spot(run: RunConfig) -> Spot:
    prompt = run.prompt or {}
    way = prompt.get("reparameterization", {}).get("name")
    series = {"none": EMBEDDING, "mlp": f"MLP, lr {run.train.lr:g}"}.get(way)
    if series is None:
        raise InputError(f"{run_name(run)} has no place in figure4: sweep reparameterization=none,mlp.")
    return Spot(f"{run.task.name}, {run.backbone.name}", series, prompt["length"], str(prompt["length"]))


def _rate(series: str) -> float:
    return float(series.rpartition(" ")[2])


FIGURE = Length()

if __name__ == "__main__":
    FIGURE.main()
