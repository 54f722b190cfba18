"""Damage that is done to files, drawn from a seeded generator: to their bytes, and to what JSON says."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NoReturn

NUMBER = int(os.environ.get("N", "50"))  # of damaged files in each test that draws them
STRANGE = (None, -1, 0, 10**30, 1e308, "", "x" * 300, "\n", "../../x", [], {}, True, [1, "a"], float("nan"), "\ud800")


def damaged(whole: bytes, draw: Random) -> bytes:
    """With a bit flipped, or bytes cut off, overwritten, taken out or put in."""
    place = draw.randrange(len(whole))
    before, after = whole[:place], whole[place:]
    flipped = bytes([after[0] ^ 1 << draw.randrange(8)])
    return draw.choice(
        [
            before,
            before + flipped + after[1:],
            before + draw.randbytes(64) + after[64:],
            before + after[draw.randrange(1, 200) :],
            before + draw.choice([b"\0", b"{", b'"', b"9" * 5000, b"\xff\xfe"]) + after,
        ]
    )


def mutated(value: Any, draw: Random) -> Any:
    """With one of its parts replaced by something that does not belong there, or left out."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value))
        if draw.random() < 0.2:
            return {other: kept for other, kept in value.items() if other != key}
        return value | {key: mutated(value[key], draw)}
    return draw.choice(STRANGE)


def is_sentence(error: Exception) -> bool:
    """One line, of a length that can be read."""
    return "\n" not in str(error) and len(str(error)) < 1500


class Hang(BaseException):
    """So that nothing takes it for a fault of its own."""


@contextmanager
def within_limits(seconds: int = 120, gigabytes: int = 4) -> Iterator[None]:
    """An end to what hangs, long after anything sensible is through, and to memory beyond what is in use."""

    def end(_number: int, _frame: Any) -> NoReturn:
        raise Hang(f"it has not ended after {seconds} seconds")

    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, end)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + gigabytes * 2**30, limits[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)
