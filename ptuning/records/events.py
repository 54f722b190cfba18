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
    """The run is given up. `refusal` is the sentence of an InputError, None where something else went wrong; `trace`
    is the traceback; `found`: it failed in another process."""

    run_id: str
    trace: str
    refusal: str | None = None
    found: bool = False

    @classmethod
    def of(cls, run_id: str, error: Exception) -> RunFailed:
        """The failure that `error` is. Text alone: its frames would keep the backbone in memory, and not every
        exception can be put together again in another process."""
        trace = "".join(traceback.format_exception(error))
        return cls(run_id, trace, str(error) if isinstance(error, InputError) else None)

    @property
    def reason(self) -> str:
        """One sentence where the input was wrong, otherwise the traceback."""
        return self.trace if self.refusal is None else self.refusal

    def raise_error(self) -> NoReturn:
        raise RuntimeError(self.trace) if self.refusal is None else InputError(self.refusal)


@dataclass(frozen=True)
class Notice:
    """A line for whoever watches."""

    text: str


Event = RunStarted | Evaluated | RunEnded | RunFailed | Notice
Listener = Callable[[Event], None]


def to_all(listeners: Sequence[Listener]) -> Listener:
    """A listener that tells `listeners`, in their order."""

    def notify(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return notify
