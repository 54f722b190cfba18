"""Train one run, or with `-m` a sweep of them.

    python -m experiments.run task=rte backbone=minilm_l6 method=p_tuning_v2 prompt.layers=4-6 seed=1
    python -m experiments.run -m method=prompt_tuning,p_tuning_v2 task=cb seed=1,2,3
    python -m experiments.run -m experiment=table2 profile=laptop

Prints each run's score and its record's path. What has a record is not run again.
"""

from __future__ import annotations

import sys
import traceback

import hydra
from omegaconf import DictConfig

from ptuning import launch, records
from ptuning.errors import InputError

_failed: list[str] = []


@hydra.main(config_path=str(launch.CONF), config_name="config", version_base="1.3")
def job(composed: DictConfig) -> float | None:
    """One run; a failed one is told of and does not stop the others of a sweep."""
    config = launch.read(composed)
    before = records.path(config).exists()
    try:
        record = launch.launch(config)
    except InputError as error:
        _fail(records.name(config), str(error))
        return None
    except Exception:
        _fail(records.name(config), traceback.format_exc())
        return None
    print(summary(record) + ("  (already there)" if before else "") + f"  {records.path(config)}", flush=True)
    return record["score"]


def summary(record: records.Record) -> str:
    """One line on a finished run."""
    config = record["config"]
    what = f"{config['task']['name']:8} {config['backbone']['name']:12} {config['method']:14} seed {config['seed']}"
    if record["score"] is None:
        return f"{what}  {record['status']}"
    epoch, rule = record["selection"]["epoch"], record["selection"]["rule"]
    chosen = f"epoch {epoch}, {rule}, data {record['data']['source']}"
    return f"{what}  dev {record['metric']} {record['score']:5.1f} ({chosen})"


def _fail(name: str, why: str) -> None:
    _failed.append(name)
    print(f"{name} failed: {why}", file=sys.stderr, flush=True)


def main() -> None:
    """Check everything that was asked for, then let Hydra run it."""
    overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    asks_for_help = any(flag in sys.argv for flag in ("-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i"))
    try:
        if not asks_for_help:
            launch.expand(overrides)
    except InputError as error:
        sys.exit(f"error: {error}")
    job()
    if _failed:
        sys.exit(
            f"{len(_failed)} run(s) failed; each left a .failed.json beside the records, and runs again next time."
        )


if __name__ == "__main__":
    main()
