"""What produces a prompt while it is trained: one file each, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.prompts.reparameterizations.base import Reparameterization

registry.open_to_plugins(__name__)


def load(name: str) -> type[Reparameterization]:
    """The class in `reparameterizations/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Reparameterization, "prompt.reparameterization.name")  # type: ignore
