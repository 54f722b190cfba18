"""Runs waiting for a place on a backbone, and the lanes they become."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ptuning.parsed import Run
from ptuning.records.events import Listener, RunFailed, RunStarted
from ptuning.training.lanes import Lane

NextRun = Callable[[], Run | None]  # None: there is none now, though there may be one later


class LaneQueue:
    """The runs that `next_run` gives, one by one; `notify` hears which are taken, and which cannot become lanes."""

    def __init__(self, next_run: NextRun, notify: Listener) -> None:
        self._next_run, self._notify = next_run, notify
        self._first: Run | None = None

    def peek(self) -> Run | None:
        """The run that will be the first lane: it is taken now, and says what backbone is needed."""
        self._first = self._take()
        return self._first

    def next_lane(self, build: Callable[[Run], Lane]) -> Lane | None:
        """The next run as a lane; one that `build` fails on is given up and does not end the others."""
        while (run := self._take()) is not None:
            try:
                return build(run)
            except torch.AcceleratorError:
                raise  # the device is of no use any more
            except Exception as error:
                self._notify(RunFailed.of(run.id, error))
        return None

    def _take(self) -> Run | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        run = self._next_run()
        if run is not None:
            self._notify(RunStarted(run.id, run.name, run.config))
        return run
