"""How answers are made from what several trained prompts predict: one file a rule, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.rules.base import Rule

registry.open_to_plugins(__name__)


def load(name: str) -> type[Rule]:
    """The class of the rule in `rules/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Rule, "rule")  # type: ignore[type-abstract]
