"""Prompt ensembling: prompts of one task answer, and what most of them say counts (Prompt Tuning, Lester et al., 2021,
section 6). What a tie comes to is not said there as far as we know; here it is the answer of the first prompt, in the
order in which they are given, among those that tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ptuning.rules.base import Rule
from ptuning.tasks.base import AnyTask


class MajorityVote(Rule):
    """The answer to an example is, as a whole, that of the first prompt which says what most say."""

    fewest, most = 2, None

    @classmethod
    def combine(cls, task: AnyTask, examples: Sequence[Any], answers: Sequence[Any]) -> Any:
        votes = zip(*(task.said(examples, one) for one in answers), strict=True)
        chosen = [answers[_winner(said)][index] for index, said in enumerate(votes)]
        return np.stack(chosen) if isinstance(answers[0], np.ndarray) else chosen


def _winner(said: Sequence[Hashable]) -> int:
    """The first of those who say what most say."""
    counts = Counter(said)
    most = max(counts.values())
    return next(index for index, one in enumerate(said) if counts[one] == most)
