"""The same work on many things, on several cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 4  # at most: each is a copy of this process


def in_parallel(work: Callable[[T], R], things: Sequence[T]) -> Iterator[R]:
    """What `work` makes of each, in their order. It runs in other processes: a function of a module, without torch."""
    workers = min(WORKERS, os.cpu_count() or 1, len(things))
    if workers < 2:
        yield from map(work, things)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, things)
