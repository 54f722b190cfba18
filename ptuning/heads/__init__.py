"""From hidden states to predictions: one file a head, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.heads.base import Head


def load(name: str) -> type[Head]:
    """The class of the head in `heads/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Head, "head")  # type: ignore[type-abstract]
