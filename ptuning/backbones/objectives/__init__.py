"""What a language model is trained on plain text for: one file an objective, found by its name.

An objective makes, of a window of a text's tokens, what the model is given and what it is to say of it.
"""

from __future__ import annotations

from ptuning import registry
from ptuning.backbones.objectives.base import Objective


def load(name: str) -> type[Objective]:
    """The objective of that name. Raises InputError where there is no such file."""
    return registry.find_class(__name__, name, Objective, "backbone.adaptation.objective")  # type: ignore[type-abstract]


def names() -> list[str]:
    """The objectives that there are."""
    return registry.names(__name__)
