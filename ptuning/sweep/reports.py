"""What a sweep reports to."""

from __future__ import annotations

from collections.abc import Callable

from ptuning.config import RunConfig
from ptuning.records.record import Record

Tell = Callable[[RunConfig, Record | Exception, bool], None]  # a run, how it ended, and whether that is new
Say = Callable[[str], None]
