"""Ending before all is done: by Ctrl-C, by a signal of the system, or because a run failed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a preempted job, a closed terminal
_AGAIN = 0.05  # seconds


class Stopped(SystemExit):
    """All is to end now, and what is finished to be written; `why`, and the exit status."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(status)
        self.why = why


class FirstFailure(Stopped):
    """A run has failed that says `runtime.fail_fast`."""

    def __init__(self) -> None:
        super().__init__("a run failed, and runtime.fail_fast=true", 1)


def end_on_signals() -> None:
    """Let a signal raise `Stopped` in the main thread. Those that follow do not disturb what is being put away, but
    Ctrl-C a second later: it ends the process at once."""
    ending = _RaiseOnce(sys.unraisablehook)
    _handle(ending)
    sys.unraisablehook = ending.on_unraisable


def end_at_once() -> None:
    """Let a signal end the process in one line, as long as it has done nothing that could be lost."""
    _handle(_exit)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, handler)


class _RaiseOnce:
    def __init__(self, otherwise: Callable[[sys.UnraisableHookArgs], object]) -> None:
        self.raised: float | None = None
        self.otherwise = otherwise

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.raised is None:
            self.raised = time.monotonic()
            raise Stopped(_why(number), 128 + number)
        if number == signal.SIGINT and time.monotonic() - self.raised > 1:
            os._exit(128 + number)

    def on_unraisable(self, lost: sys.UnraisableHookArgs) -> None:
        """Raise again, soon, what was raised in the middle of a destructor or of a callback that lets nothing through
        (logging has one at each fork): Python would print it and go on as if no signal had come."""
        stop = lost.exc_value
        if not isinstance(stop, Stopped):
            self.otherwise(lost)
            return

        def raise_again(_number: int, _frame: FrameType | None) -> None:
            raise stop

        signal.signal(signal.SIGALRM, raise_again)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def _exit(number: int, _frame: FrameType | None) -> None:
    os.write(2, f"{_why(number)} before anything was begun\n".encode())
    os._exit(128 + number)


def _why(number: int) -> str:
    return "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
