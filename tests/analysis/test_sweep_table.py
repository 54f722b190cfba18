"""Any runs as a table: what makes a row, gaps, the best, and what cannot be one cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ptuning.records
from experiments import sweep_table as command
from experiments.artefacts import sweep_plot
from ptuning.analysis import rendering
from ptuning.analysis.sweep_table import Entry, SweepTable
from ptuning.errors import InputError
from ptuning.records import store, wandb_log
from ptuning.records.settings import differing, settings, told_apart

SCORES = {(8, 0.01): (70.0, 72.0, 74.0), (8, 0.1): (80.0, 70.0, 60.0), (32, 0.01): (71.0, 73.0)}


def record(length: int, lr: float, seed: int, dev: float, task: str = "mine") -> dict[str, Any]:
    return {
        "kind": "run", "id": f"{length}{lr}{seed}", "status": "finished", "metric": "accuracy",
        "config": {
            "task": {"name": task}, "method": "p_tuning_v2", "backbone": {"name": "tiny"}, "seed": seed,
            "prompt": {"length": length, "init": {"name": "normal"}}, "train": {"lr": lr}, "selection": "best_dev",
        },
        "history": [
            {"epoch": 1, "step": 4, "loss": 0.5, "dev": {"accuracy": dev - 5}, "tests": {"test": {"accuracy": 1.0}}},
            {"epoch": 2, "step": 8, "loss": 0.4, "dev": {"accuracy": dev}, "tests": {"test": {"accuracy": dev - 2}}},
        ],
        "data": {"dev_examples": 10, "test_examples": {"test": 10}},
        "parameters": {"trained": 10, "total": 100}, "speed": {"seconds": 1.5}, "score": dev,
    }  # fmt: skip


RECORDS = [
    record(length, lr, seed, dev) for (length, lr), devs in SCORES.items() for seed, dev in enumerate(devs, start=1)
]
ENTRIES = [Entry(settings(one["config"]), one) for one in RECORDS]
TABLE = SweepTable(ENTRIES, ["prompt.length", "train.lr"])


def test_the_fewest_keys_that_tell_runs_apart() -> None:
    runs = [{"task": "a", "max": 1, "lr": 1, "seed": 1}, {"task": "b", "max": 2, "lr": 1, "seed": 2},
            {"task": "b", "max": 2, "lr": 3, "seed": 2}]  # fmt: skip
    assert differing(runs) == ["task", "lr"]
    assert differing([entry.settings for entry in ENTRIES]) == ["prompt.length", "train.lr"]
    assert told_apart([one["config"] for one in RECORDS])[3] == "prompt.length=8 train.lr=0.1"
    assert set(told_apart([one["config"] for one in RECORDS[:3]])) == {""}  # seeds are in the names


def test_means_spreads_gaps_and_the_best() -> None:
    frame = TABLE.frame(rendering.bold)
    assert list(frame.columns) == ["prompt.length", "train.lr", "mine: dev accuracy", "mine: test accuracy"]
    assert frame.values.tolist() == [
        ["8", "0.01", "**72.0 ± 2.0**", "**70.0 ± 2.0**"],
        ["8", "0.1", "70.0 ± 10.0", "68.0 ± 10.0"],
        ["32", "0.01", "-- (2/3)", "-- (2/3)"],
    ]
    assert [row for _, row in TABLE.best([], "mean_dev")] == [(8, 0.01)]
    best = TABLE.best_frame(["train.lr"], "median_dev")
    assert best["train.lr"].tolist() == ["0.01", "0.1"] and best["test"].tolist() == ["70.0 ± 2.0", "68.0 ± 10.0"]
    long = TABLE.long_form()
    assert long[long.split == "dev"]["runs"].tolist() == [3, 3, 2] and long["std"].isna().sum() == 2
    last = SweepTable(ENTRIES, ["train.lr", "prompt.length"], "last", "dev")
    assert last.rows[0] == (0.01, 8) and len(last.columns) == 1
    missing = SweepTable([*ENTRIES, Entry({**ENTRIES[0].settings, "train.lr": 1.0, "seed": 9}, None)], TABLE.by)
    assert missing.frame().iloc[1, 2] == "-- (3/4)"


def test_runs_that_are_no_one_cell_are_refused_with_the_key() -> None:
    with pytest.raises(
        InputError, match=r"6 runs of mine would be one cell, and differ in train\.lr: add that to by="
    ):
        SweepTable(ENTRIES, ["prompt.length"]).frame()
    rates = {one.settings["train.lr"]: one for one in ENTRIES if one.settings["prompt.length"] == 8}.values()
    apart = [Entry({**one.settings, "seed": seed}, one.record) for seed, one in enumerate(rates)]
    with pytest.raises(InputError, match=r"differ in train\.lr: add that to by="):  # of one seed each
        SweepTable(apart, ["prompt.length"]).frame()
    with pytest.raises(InputError, match="pick=best is unknown: choose one of mean_dev, median_dev"):
        TABLE.best([], "best")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "read_all", lambda _: [(Path(f"{one['id']}.json"), one) for one in RECORDS])
    return tmp_path


def test_the_command_chooses_and_writes(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {ending: results / f"table.{ending}" for ending in ("csv", "tex", "svg")}
    arguments = ["task=mine", "prompt.length=8", "by=train.lr", "best=method", "--csv", str(files["csv"]),
                 "--tex", str(files["tex"]), "--plot", str(files["svg"])]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["sweep_table", *arguments])
    command.main()
    said = capsys.readouterr().out
    assert "| 0.01       | **72.0 ± 2.0**" in said and "Best by mean_dev:" in said
    assert files["csv"].read_text().splitlines()[1].startswith("0.01,mine,dev,accuracy,72,2,3,3,0")
    tex = files["tex"].read_text()
    assert r"\label{tab:table}" in tex and r"\textbf{72.0 $\pm$ 2.0}" in tex
    assert "train.lr" in files["svg"].read_text()
    for wrong, message in (
        ("train.lrr=1", "no run here has the key train.lrr: did you mean train.lr"),
        ("train.lr=7", "is of no run here: those have 0.01, 0.1"),
        ("rule=first", "selection=first is unknown"),
    ):
        with pytest.raises(InputError, match=message):
            command.table([wrong], results)
    with pytest.raises(InputError, match="by=method has none"):
        sweep_plot.drawn(SweepTable(ENTRIES, ["method"]), ".png")


def test_records_are_one_frame(results: Path) -> None:
    frame = ptuning.records.frame(results)
    assert len(frame) == len(RECORDS)
    first = json.loads(frame.iloc[0].to_json())
    wanted = {"task": "mine", "prompt.init": "normal", "train.lr": 0.01, "dev": 70.0, "test.test": 68.0, "epoch": 2}
    assert first | wanted == first


class Mirrored:
    """What W&B is told of a run."""

    def __init__(self, **given: Any) -> None:
        self.given, self.lines, self.summary, self.metrics = given, [], {}, []
        self.finish = lambda: self.lines.append("finished")

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.metrics.append((name, step_metric))

    def log(self, line: Any) -> None:
        self.lines.append(line)


def test_a_record_is_mirrored_once_and_says_what_it_is(monkeypatch: pytest.MonkeyPatch, make_run: Any) -> None:
    import wandb

    from ptuning.records.events import RunEnded, RunStarted

    sent: list[Mirrored] = []
    monkeypatch.setattr(wandb, "init", lambda **given: sent.append(Mirrored(**given)) or sent[-1])
    run = make_run(runtime__wandb="offline", runtime__sweep="task=mine train.lr=1,2")
    logger = wandb_log.WandbLogger()
    logger(RunStarted("x", "name", run))
    logger(RunEnded("x", RECORDS[0]))
    logger(RunEnded("x", RECORDS[0]))  # an end that was told twice is written once
    logger(RunStarted("y", "name", run))
    logger(RunEnded("y", RECORDS[0], found=True))
    (mirrored,) = sent
    given = mirrored.given
    assert given["id"].startswith(RECORDS[0]["id"] + "-") and given["config"]["record"] == RECORDS[0]["id"]
    assert (given["group"], given["job_type"]) == ("task=mine train.lr=1,2", "train")
    assert mirrored.metrics == [("epoch", None), ("*", "epoch")] and mirrored.lines[-1] == "finished"
    assert [line["dev/accuracy"] for line in mirrored.lines[:2]] == [65.0, 70.0]
    assert mirrored.summary["chosen/epoch"] == 2 and mirrored.summary["chosen/test/accuracy"] == 68.0
    assert wandb_log._attempt(RECORDS[0]) != wandb_log._attempt({**RECORDS[0], "speed": {"seconds": 2}})
