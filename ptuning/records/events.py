"""What happens to runs, as plain data that can be sent to another process, and who is told of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.record import Record
from ptuning.training.lanes import HistoryLine


@dataclass(frozen=True)
class RunStarted:
    """A process has taken the run, and trains it now or is about to."""

    run_id: str
    name: str
    config: RunConfig


@dataclass(frozen=True)
class Evaluated:
    """The run has been evaluated: `line` is the newest of its history."""

    run_id: str
    line: HistoryLine


@dataclass(frozen=True)
class RunEnded:
    """The run has a record; `found`: it was there already, or another process made it."""

    run_id: str
    record: Record
    found: bool = False


@dataclass(frozen=True)
class RunFailed:
    """The run is given up. `reason` says why in one line; `trace` is the traceback; `refused`: an InputError, whose
    sentence says all; `found`: it failed in another process."""

    run_id: str
    reason: str
    trace: str
    refused: bool = False
    found: bool = False

    @classmethod
    def of(cls, run_id: str, error: Exception) -> RunFailed:
        """The failure that `error` is. Text alone: its frames would keep the backbone in memory, and not every
        exception can be put together again in another process."""
        trace = "".join(traceback.format_exception(error))
        refused = isinstance(error, InputError)
        return cls(run_id, str(error) if refused else one_line(error), trace, refused)

    def raise_error(self) -> NoReturn:
        """Raise what went wrong: InputError where it is the user's to mend, else RuntimeError."""
        raise InputError(self.reason) if self.refused else RuntimeError(self.trace)


@dataclass(frozen=True)
class Notice:
    """A line for whoever watches."""

    text: str


Event = RunStarted | Evaluated | RunEnded | RunFailed | Notice
Listener = Callable[[Event], None]


def one_line(error: BaseException) -> str:
    """What kind of error it is and the first line of what it says: `KeyError: 'x'`."""
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[0]


def to_all(listeners: Sequence[Listener]) -> Listener:
    """A listener that tells `listeners`, in their order."""

    def notify(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return notify
