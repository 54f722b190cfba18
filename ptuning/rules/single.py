"""One prompt answers: that of a task answering another (zero-shot transfer: Prompt Tuning, Lester et al., 2021,
section 5), or its own once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptuning.rules.base import Rule
from ptuning.tasks.base import AnyTask


class Single(Rule):
    fewest, most = 1, 1

    @classmethod
    def combine(cls, task: AnyTask, examples: Sequence[Any], answers: Sequence[Any]) -> Any:
        (only,) = answers
        return only
