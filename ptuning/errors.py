"""The one error that is the user's to mend, and many of them told as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """Bad input, refused before work starts.

    The message is one sentence: the key, the value, what is allowed, and the fix. Entry points print it without a
    traceback and exit with a non-zero status.
    """


class Refusals:
    """What is wrong with the rows of a file, gathered so that one error tells of all of them: how many are refused,
    and the first few."""

    SHOWN = 5

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.count = 0

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Keep the InputError that is raised inside."""
        try:
            yield
        except InputError as error:
            self.count += 1
            if len(self.shown) < self.SHOWN:
                self.shown.append(str(error))

    def raise_any(self) -> None:
        """Raise InputError where there are any: of one its own sentence, of several a line each, and their number."""
        if self.count > 1:
            first = f", of which these are the first {self.SHOWN}" if self.count > self.SHOWN else ""
            raise InputError("\n".join([*self.shown, f"{self.count} rows are refused{first}."]))
        if self.shown:
            raise InputError(self.shown[0])
