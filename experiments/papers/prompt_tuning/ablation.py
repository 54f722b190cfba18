"""What the panels of Figure 3 share: Prompt Tuning against one thing that it can be varied in."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence

from experiments.artefacts import methods
from experiments.artefacts.figure import Figure, Point, Spot
from ptuning.config import BackboneConfig, RunConfig

OBJECTIVE = "prefix_lm"  # of the adaptation that the paper varies
UNLIKE = (
    "The paper's are SuperGLUE averages of T5 sizes, whose numbers are not at hand. flan_t5_small saw the training "
    "sets of GLUE and SuperGLUE before, and was tuned to write titles after that."
)


class Ablation(Figure):
    """A panel a task and backbone."""

    @abstractmethod
    def at(self, run: RunConfig) -> tuple[float, str]:
        """Where on the axis a run stands, and what that is called. Raises InputError for a run without a place."""

    def backbone(self, run: RunConfig) -> str:
        """What its panel calls the backbone."""
        return run.backbone.name

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        return [
            (Spot(f"{run.task.name}, {self.backbone(run)}", methods.label(run), *self.at(run)), run) for run in runs
        ]

    def notes(self, runs: Sequence[RunConfig]) -> list[str]:
        return [*super().notes(runs), UNLIKE]


class Kinds(Ablation):
    """Against things that have no order: nothing joins the points."""

    def is_line(self, points: Sequence[Point]) -> bool:
        return False


def adaptation(backbone: BackboneConfig) -> tuple[str, int]:
    """The backbone that one was before its adaptation as a prefix language model, and the steps of that: by its
    recipe, or of the paper's, `t5_<size>_lm_adapt`."""
    if released := re.fullmatch(r"t5_(\w+)_lm_adapt", backbone.name):
        return f"t5_v1_1_{released[1]}", 100_000
    recipe = backbone.adaptation
    return (backbone.name, 0) if recipe is None or recipe.objective != OBJECTIVE else (backbone.id, recipe.steps)
