"""A line a run on the screen, with its place in the sweep and an estimate of the time left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from tqdm.auto import tqdm

from ptuning.config import RunConfig
from ptuning.records import store
from ptuning.records.events import Event, Notice, RunEnded, RunFailed
from ptuning.records.identity import run_id, run_name
from ptuning.records.record import Record, always, choose_line, place
from ptuning.records.settings import told_apart


class Progress:
    """A listener that prints a line for each of the runs `configs` when it ends, and every notice."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self.configs = {run_id(config): config for config in configs}
        told = told_apart([store.dump(config) for config in configs])
        self.told = dict(zip(map(run_id, configs), told, strict=True))
        self.ended, self.trained = 0, 0
        self.began = time.monotonic()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            _say(event.text, sys.stderr)
        if isinstance(event, RunEnded | RunFailed):
            self.ended += 1
            self.trained += not event.found
            config = self.configs[event.run_id]
            if isinstance(event, RunFailed):
                where = "" if event.refused else f" (traceback: {store.failure_path(config)})"
                words = f" ({self.told[event.run_id]})" if self.told[event.run_id] else ""
                _say(f"{self._place()}{run_name(config)}{words} failed: {event.reason}{where}", sys.stderr)
            else:
                said = run_summary(config, event.record, event.found, self.told[event.run_id])
                _say(self._place() + said, sys.stdout)

    def _place(self) -> str:
        total = len(self.configs)
        if total <= 1:
            return ""
        left = (time.monotonic() - self.began) / max(1, self.trained) * (total - self.ended)
        estimate = f", about {left / 60:.0f} min left" if self.trained and self.ended < total else ""
        return f"[{self.ended}/{total}{estimate}] "


def _say(line: str, stream: TextIO) -> None:
    """Print it; that nobody reads it any more (`| head`, a closed terminal) harms no run."""
    try:
        tqdm.write(line, file=stream)
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run_summary(config: RunConfig, record: Record, found: bool, told: str = "") -> str:
    """One line on a finished run; `found`: its record was there already; `told`: what else it is told apart by."""
    name = f"{config.task.name:8} {config.backbone.name:10} {config.method:13} seed {config.seed}"
    name += f" {told}" if told else ""
    file = f"{store.path(config)}" + (" (already there)" if found else "")
    chosen, metric = choose_line(record, config.selection), record["metric"]
    if chosen is None:
        return f"{name}  {record['status']}  {file}"
    how = f"{place(record, chosen)}, {config.selection}, {record['data']['source']} data{_counts(record)}"
    dev, tests = chosen["dev"][metric], chosen.get("tests", {})
    scores = [
        f"dev {metric} {dev:.1f}{always(chosen)}",
        *(f"{split} {scored[metric]:.1f}" for split, scored in tests.items()),
    ]
    return f"{name}  {', '.join(scores)} ({how})  {file}"


def _counts(record: Record) -> str:
    """What the splits hold besides examples, where the record says it."""
    counted = record["data"].get("counts", {})
    return "".join(
        f"; {split} " + ", ".join(f"{count} {what}" for what, count in numbers.items())
        for split, numbers in counted.items()
    )
