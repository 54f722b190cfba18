"""Weights & Biases as a mirror of finished runs: each is written there once, from its record; nothing is read back,
and its failure never harms a run."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ptuning.config import Recorded, RuntimeConfig
from ptuning.records import store
from ptuning.records.events import Event, RunEnded, RunStarted
from ptuning.records.identity import run_name
from ptuning.records.record import Record, choose_line, kind

LONGEST = 128  # characters that W&B takes of a group's name


class WandbLogger:
    """A listener that sends the record of each run that ends here to W&B, as its `runtime.wandb` says (offline,
    online, disabled)."""

    def __init__(self) -> None:
        self.off = False  # for good, once W&B has failed
        self.configs: dict[str, Recorded] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.configs[event.run_id] = event.config
        if isinstance(event, RunEnded) and not event.found and event.run_id in self.configs:
            self.mirror(self.configs.pop(event.run_id), event.record)

    def mirror(self, config: Recorded, record: Record) -> None:
        """Send a record of either kind."""
        job = "train" if kind(record) == "run" else "eval"
        said = {**store.dump(config), "record": record["id"]}
        name = run_name(config)
        self._send(config.runtime, name, _attempt(record), job, said, lambda run: _log(run, record))

    def send_table(self, runtime: RuntimeConfig, files: Mapping[str, str]) -> None:
        """Send what a sweep has come to, as an artifact of these files, by their names."""
        content = hashlib.sha256(json.dumps([runtime.sweep, dict(files)]).encode()).hexdigest()
        self._send(runtime, "table", f"table-{content[:10]}", "eval", {}, lambda run: _log_files(run, files))

    def _send(
        self,
        runtime: RuntimeConfig,
        name: str,
        identifier: str,
        job: str,
        config: Mapping[str, Any],
        log: Callable[[Any], object],
    ) -> None:
        """Whatever W&B raises, the run has its record."""
        if self.off or runtime.wandb == "disabled":
            return
        try:
            import wandb

            run = wandb.init(
                project=runtime.wandb_project, id=identifier, name=name, group=(runtime.sweep or "")[:LONGEST] or None,
                job_type=job, config=dict(config), mode=runtime.wandb, dir=str(runtime.weights.parent),
                reinit="create_new", resume="allow",
                settings=wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True),
            )  # fmt: skip
            log(run)
            run.finish()
        except Exception as error:
            warnings.warn(f"W&B is left out of this session: {error}", stacklevel=2)
            self.off = True


def _attempt(record: Record) -> str:
    """The record's id and what tells it from another attempt at the same run: W&B takes no id again that it has
    deleted, and two offline runs of one id overwrite each other."""
    content = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return f"{record['id']}-{content[:6]}"


def _log(run: Any, record: Record) -> None:
    """A line an evaluation, by epoch; in the summary what the run is reported by."""
    run.define_metric("epoch")
    run.define_metric("*", step_metric="epoch")
    for line in record.get("history", []):
        run.log(_scores(line) | {key: line[key] for key in ("epoch", "step", "loss") if line.get(key) is not None})
    chosen = record.get("scores") or choose_line(record, record["config"].get("selection", "last"))
    reported = {} if chosen is None else {f"chosen/{key}": value for key, value in _scores(chosen).items()}
    if chosen is not None and "epoch" in chosen:
        reported["chosen/epoch"] = chosen["epoch"]
    run.summary.update({"status": record["status"], "score": record["score"], **reported, **_costs(record)})


def _scores(line: Mapping[str, Any]) -> dict[str, float]:
    """A key for each score of each set: `dev/accuracy`."""
    sets = {"dev": line["dev"], **line.get("tests", {})}
    return {f"{name}/{key}": value for name, found in sets.items() for key, value in found.items()}


def _costs(record: Record) -> dict[str, Any]:
    costs = {"parameters/trained": record.get("parameters", {}).get("trained"), **{
        f"speed/{key}": record.get("speed", {}).get(key) for key in ("seconds", "peak_memory_mb")
    }}  # fmt: skip
    return {key: value for key, value in costs.items() if value is not None}


def _log_files(run: Any, files: Mapping[str, str]) -> None:
    import wandb

    found = wandb.Artifact("table", type="table")
    for name, content in files.items():
        with found.new_file(name, encoding="utf-8") as file:
            file.write(content)
    run.log_artifact(found)
