"""How a backbone is adapted: one file a method, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.methods.base import Method


def load(name: str) -> type[Method]:
    """The class of the method in `methods/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Method, "method")
