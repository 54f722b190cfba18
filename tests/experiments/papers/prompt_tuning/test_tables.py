"""Prompt Tuning's tables of trained prompts: from saved runs over evaluation records to cells."""

import sys

import pytest

from experiments import evaluate, status
from experiments.artefacts import published
from experiments.papers.prompt_tuning.table1 import TABLE as table1
from experiments.papers.prompt_tuning.table2 import TABLE as table2
from experiments.papers.prompt_tuning.table3 import BEST, MEAN, VOTE
from experiments.papers.prompt_tuning.table3 import TABLE as table3
from ptuning.launch import compose, evaluations
from ptuning.records import store
from ptuning.run import run

TINY = ["backbone=tiny_bert", "train.epochs=1", "data.train_rows=8", "data.dev_rows=8", "train.precision=fp32"]


@pytest.fixture
def folder(tmp_path):
    where = {"results": tmp_path, "weights": tmp_path / "weights", "wandb": "disabled", "progress": "false"}
    return [f"runtime.{key}={value}" for key, value in where.items()]


def trained(table, *overrides):
    for one in compose.expand([f"experiment={table.experiment}", *overrides]):
        run([one])


def call(monkeypatch, module, *arguments):
    monkeypatch.setattr(sys, "argv", ["any", *arguments])
    module.main()


def test_table_3_has_the_mean_the_best_and_the_vote_of_one_record(folder, monkeypatch, capsys):
    overrides = [*TINY, *folder, "task=cb", "seed=1,2,3"]
    asked = [f"experiment={table3.experiment}", *overrides]
    trained(table3, *overrides)
    call(monkeypatch, evaluate, *asked)
    assert "(mean " in capsys.readouterr().out
    call(monkeypatch, evaluate, *asked)
    assert "all 1 evaluation(s) are already there" in capsys.readouterr().out
    call(monkeypatch, status, *asked)
    assert capsys.readouterr().out.endswith("4 finished\n")
    (config,) = evaluations.expand(asked)
    record = store.find(config)
    text, files = table3.write(overrides)
    found = table3.evaluated(evaluations.asked(asked))
    shown = {row: found["tiny_bert", row, "CB acc"].mean for row in (MEAN, BEST, VOTE)}
    assert shown == {
        MEAN: pytest.approx(record["mean"]["dev"]["accuracy"]),
        BEST: record["best"]["dev"]["accuracy"],
        VOTE: record["score"],
    }
    assert found["tiny_bert", MEAN, "CB acc"].spread is not None
    assert "| 99.0ˢ" in text and "91.7ˢ" in text
    assert {file.name.partition(".")[0] for file in files} == {"table3"}


def test_table_2_transfers_both_ways_and_shows_gaps(folder, monkeypatch):
    overrides = [*TINY, *folder, "method=prompt_tuning", "seed=1,2"]
    asked = [f"experiment={table2.experiment}", *overrides]
    trained(table2, *overrides)
    call(monkeypatch, evaluate, *asked, "task=qqp")
    found = table2.evaluated(evaluations.asked(asked))
    assert {key[2] for key, cell in found.items() if cell.mean is not None} == {
        "QQP->MRPC acc", "QQP->MRPC F1", "QQP acc"
    }  # fmt: skip
    assert found["tiny_bert", "PT", "MRPC->QQP acc"].text == "-- (0/2)"
    assert all(cell.share for cell in found.values())


def test_table_1_asks_each_run_about_both_domains():
    found = evaluations.asked([
        f"experiment={table1.experiment}", "data=local", "data.root=/data", "method=prompt_tuning", "seed=1",
    ])  # fmt: skip
    assert {one.target: one.config.data.files["dev"] for one in found} == {
        "own": "squad/dev-v1.1.json", "nyt": "squad/nyt_v1.0.json"
    }  # fmt: skip
    assert {column.task for column in table1.columns} == {f"squadshifts->{one.target}" for one in found}


def test_ids_that_no_run_has_end_with_a_status_of_2(folder, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, evaluate, *folder, "evaluate.rule=single", 'evaluate.prompts=["0123456789"]')
    assert ended.value.code == 2 and "has no record with that id" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, evaluate, *folder)
    assert ended.value.code == 2 and "evaluate.rule is not set: choose one of majority" in capsys.readouterr().err


@pytest.mark.parametrize("table", [table1, table2, table3], ids=lambda table: table.name)
def test_published_numbers_are_numbers_with_a_confidence(table):
    for value in published.read(table.experiment):
        assert float(value["value"]) and value["confidence"] == "secondary" and value["source"]
