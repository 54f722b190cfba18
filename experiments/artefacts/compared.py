"""How alike the prompts of a sweep are, for tables and figures: from results/similarities."""

from __future__ import annotations

from collections.abc import Sequence

from ptuning.errors import InputError
from ptuning.launch import evaluations
from ptuning.records import similarities
from ptuning.records.similarities import Similarities


def of_backbones(experiment: str, overrides: Sequence[str]) -> dict[str, Similarities]:
    """By the name of the backbone, of the runs of an experiment that `overrides` ask for. Raises InputError where they
    have not been compared."""
    found = {}
    for config in evaluations.compared([f"experiment={experiment}", *overrides]):
        likeness = similarities.find(config)
        if likeness is None:
            raise InputError(
                f"the prompts of {config.backbone.name} have not been compared ({similarities.path(config)} is "
                f"missing): make it with python -m experiments.evaluate experiment={experiment}."
            )
        found[config.backbone.name] = likeness
    return found
