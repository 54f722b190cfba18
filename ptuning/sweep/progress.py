"""A line a run on the screen, with its place in the sweep and an estimate of the time left."""

from __future__ import annotations

import sys
import time
import traceback

from tqdm.auto import tqdm

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records import store
from ptuning.records.identity import run_name
from ptuning.records.record import Record, choose_epoch


class Progress:
    """Prints a line a run, with its place in the sweep and an estimate of the time left."""

    def __init__(self, total: int) -> None:
        self.total, self.ended, self.trained = total, 0, 0
        self.began = time.monotonic()

    def tell(self, config: RunConfig, what: Record | Exception, new: bool) -> None:
        self.ended += 1
        self.trained += new
        if isinstance(what, Exception):
            why = str(what) if isinstance(what, InputError) else "".join(traceback.format_exception(what))
            self.say(f"{self._place()}{run_name(config)} failed: {why}")
        else:
            tqdm.write(self._place() + summary(config, what, new), file=sys.stdout)
            sys.stdout.flush()

    def say(self, line: str) -> None:
        tqdm.write(line, file=sys.stderr)

    def _place(self) -> str:
        if self.total <= 1:
            return ""
        left = (time.monotonic() - self.began) / max(1, self.trained) * (self.total - self.ended)
        estimate = f", about {left / 60:.0f} min left" if self.trained and self.ended < self.total else ""
        return f"[{self.ended}/{self.total}{estimate}] "


def summary(config: RunConfig, record: Record, new: bool) -> str:
    """One line on a finished run."""
    name = f"{config.task.name:8} {config.backbone.name:10} {config.method:13} seed {config.seed}"
    place = f"{store.path(config)}" + ("" if new else " (already there)")
    chosen = choose_epoch(record, config.selection)
    if chosen is None:
        return f"{name}  {record['status']}  {place}"
    epoch, score = chosen
    how = f"epoch {epoch}, {config.selection}, {record['data']['source']} data"
    tests = next(one for one in record["history"] if one["epoch"] == epoch).get("tests", {})
    metric = record["metric"]
    scores = [f"dev {metric} {score:.1f}", *(f"{split} {found[metric]:.1f}" for split, found in tests.items())]
    return f"{name}  {', '.join(scores)} ({how})  {place}"
