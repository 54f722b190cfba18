"""P-Tuning v2 and its family: learn a prompt for a frozen backbone, record what came out, make the papers' tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"  # the one place that says it

if TYPE_CHECKING:
    from ptuning.model import Model

# Before torch loads OpenMP: its waiting threads give the core back after a short spin. With the default, a machine
# with other work on it took ten times as long for a step; on an idle one this costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def load(*sources: Any, **where: Any) -> Model:
    """Trained prompts, ready to answer: `ptuning.model.Model.load`, which says what it takes and raises."""
    from ptuning.model import Model  # which takes seconds

    return Model.load(*sources, **where)
