"""What a prompt starts from: one file each, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.prompts.inits.base import Init

registry.open_to_plugins(__name__)


def load(name: str) -> type[Init]:
    """The class of the initialization in `inits/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Init, "prompt.init.name")
