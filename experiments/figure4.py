"""Figure 4 of P-Tuning v2: prompt length, and what an MLP reparameterization does.

    python -m experiments.run -m experiment=figure4 profile=laptop     # train what is missing
    python -m experiments.figure4 profile=laptop                       # records -> results/figures/

The MLP is shown at the learning rate of the prompts without one, and at a rate of its own, where the sweep has them:
what suits a prompt need not suit the weights of an MLP (the authors' one script with an MLP uses 1e-4, the others 5e-3
to 6e-2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from experiments import style
from experiments.figures import Figure, Point, Spot
from ptuning import records
from ptuning.config import RunConfig
from ptuning.errors import InputError

EMBEDDING, MLP, OWN = "embedding", "MLP", "MLP, lr of its own"  # the first two are the paper's words


class Length(Figure):
    name = "figure4"
    title = "Figure 4: prompt length and reparameterization"
    caption = (
        "P-Tuning v2 with prompts of growing length, trained as they are (embedding) or produced by an MLP "
        "(P-Tuning v2, Figure 4)."
    )
    x = "prompt length"
    looks: ClassVar = {EMBEDDING: style.LOOKS[0], MLP: style.LOOKS[1], OWN: style.LOOKS[2]}
    connected = (EMBEDDING, MLP, OWN)

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        rates = {_panel(run): run.train.lr for run in runs if _asked(run) == "none"}
        return [(Spot(_panel(run), _series(run, rates), _length(run), str(_length(run))), run) for run in runs]

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        rates = {spot.panel: run.train.lr for spot, run in self.spots(runs) if spot.series == OWN}
        own = [f"{OWN}: {'; '.join(f'{lr:g} ({panel})' for panel, lr in rates.items())}."] if rates else []
        return [*super().notes(runs), *own]

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log", base=2)
        super().axis(axes, points)


def _panel(run: RunConfig) -> str:
    return f"{run.task.name}, {run.backbone.name}"


def _length(run: RunConfig) -> int:
    return int((run.prompt or {})["length"])


def _asked(run: RunConfig) -> str:
    asked = str((run.prompt or {}).get("reparameterization"))
    if asked not in ("none", "mlp"):
        raise InputError(f"{records.name(run)} has no place in figure4: sweep prompt.reparameterization=none,mlp.")
    return asked


def _series(run: RunConfig, rates: Mapping[str, float]) -> str:
    """`rates`: the learning rate of a panel's prompts without an MLP."""
    if _asked(run) == "none":
        return EMBEDDING
    return MLP if run.train.lr == rates.get(_panel(run), run.train.lr) else OWN


FIGURE = Length()

if __name__ == "__main__":
    FIGURE.main()
