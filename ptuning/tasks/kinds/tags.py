"""Tasks answered with a tag a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def only_tag(labels: Sequence[str], answers: Sequence[np.ndarray]) -> str | None:
    """The tag of every word of every sentence, where it is one; `answers`: the labels of a sentence's words, `[W]`."""
    found = np.unique(np.concatenate(answers)) if len(answers) else np.empty(0)
    return labels[int(found[0])] if len(found) == 1 else None
