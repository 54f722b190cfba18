"""Figure 3 (a) of Prompt Tuning: prompt length.

python -m experiments.run -m experiment=prompt_tuning/figure3a profile=laptop     # train what is missing
python -m experiments.papers.prompt_tuning.figure3a profile=laptop                       # records -> figure
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.artefacts.figure import Point
from experiments.papers.prompt_tuning.ablation import Ablation
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name


class Length(Ablation):
    experiment = "prompt_tuning/figure3a"
    title = "Prompt Tuning, Figure 3 (a): prompt length"
    caption = "Prompt Tuning with prompts of growing length (Prompt Tuning, Figure 3 a)."
    x = "prompt length"

    def at(self, run: RunConfig) -> tuple[float, str]:
        length = (run.prompt or {}).get("length")
        if length is None:
            raise InputError(f"{run_name(run)} has no prompt, so no place in figure3a: leave it out.")
        return length, str(length)

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        axes.set_xscale("log")
        super().axis(axes, points)


FIGURE = Length()

if __name__ == "__main__":
    FIGURE.main()
