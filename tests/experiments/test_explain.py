"""From a table's cell to the runs behind it, in words that a person would look for."""

import json
import shlex
import shutil

import pytest

from experiments import explain
from experiments.artefacts import facts
from ptuning.errors import InputError
from ptuning.launch import compose, rerun
from ptuning.records import identity, store
from ptuning.records.identity import run_id, run_name
from tests.experiments.records import to_the_end

COLUMNS = ["Backbone", "Method", "RTE acc", "Broad Twitter F1"]
TINY = ["backbone=tiny_bert", "data=miniature"]


SOURCE = "+task@sources.a.task=cb"


def record_of(run, scores, metric="accuracy", status="finished", **more):
    """As runs write it, without what no test here asks for; the test set is scored where dev is at its best so far."""
    history = [
        {"epoch": i + 1, "loss": 1 / (i + 1), "dev": {metric: score}, "tests": {}} for i, score in enumerate(scores)
    ]
    for index, epoch in enumerate(history):
        if scores[index] > max(scores[:index], default=-1):
            epoch["tests"] = {"test": {metric: scores[index] - 1}}
    return {
        "id": run_id(run), "status": status, "config": store.dump(run), "metric": metric,
        "score": max(scores, default=None), "history": to_the_end(run, history) if status == "finished" else history,
        "parameters": {"trained": 1234, "total": 100000, "share": 0.01234},
        "data": {
            "source": "miniature", "fingerprint": "f" * 64, "train_examples": 3000, "dev_examples": 20,
            "test_examples": {"test": 30},
        },
        "backbone": {"fingerprint": "b" * 16, "layers": 2},
        "speed": {"examples_per_second": 12.34, "seconds": 56.7, "peak_memory_mb": 890.1, "lanes": 2, "device": "cpu"},
        "versions": {"python": "3.11.0", "torch": "2.11.0"},
        "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
        "git": {"commit": "0123456789abcdef", "dirty": True},
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small table: two seeds of PT-2, FT of which a seed is missing, and MPT-2 of another task."""
    folder = tmp_path_factory.mktemp("results")
    where = f"runtime.results={json.dumps(str(folder))}"

    def run(*overrides):
        return compose.read(compose.composed([*TINY, *overrides, where]))

    deep = [run("task=rte", f"seed={seed}") for seed in (11, 12)]
    tuned = [run("task=rte", "method=fine_tuning", f"seed={seed}") for seed in (11, 12)]
    shared = run("task=btc", "method=mpt_2", "sources.shared.train.epochs=3")
    source = shared.source_runs[0].run
    assert source is not None
    for config, record in (
        (deep[0], record_of(deep[0], [50, 60.5, 55])),
        (deep[1], record_of(deep[1], [], status="diverged")),
        (tuned[0], record_of(tuned[0], [70 + epoch / 10 for epoch in range(100)] + [60] * 20)),
        (shared, record_of(shared, [41.0], metric="f1", parent=store.path(source).name)),
    ):
        store.write(config, record)

    def cell(method, task, row, column, text, there, missing=()):
        return {
            "keys": {"backbone": "tiny_bert", "method": method, "task": task, "column": column},
            "frame": 0, "row": row, "column": column, "text": text,
            "records": [store.path(one).name for one in there], "missing": [run_name(one) for one in missing],
        }  # fmt: skip

    sidecar = {
        "name": "p_tuning_v2/table2", "title": "Table 2", "caption": "Some scores.", "rule": "best_dev", "notes": [],
        "overrides": ["profile=small", "data=local", rerun.DATA_ROOT],
        "frames": [{"columns": COLUMNS, "rows": [["tiny_bert", name, "", ""] for name in ("PT-2", "FT", "MPT-2")]}],
        "cells": [
            cell("PT-2", "rte", 0, "RTE acc", "-- (1/2) 1 diverged", deep),
            cell("FT", "rte", 1, "RTE acc", "-- (1/2)", tuned[:1], tuned[1:]),
            cell("MPT-2", "btc", 2, "Broad Twitter F1", "40.0", [shared]),
            cell("MPT-2", "rte", 2, "RTE acc", "-- (0/1)", [], [run("task=rte", "init=prompt", SOURCE)]),
        ],
    }  # fmt: skip
    (folder / "tables/p_tuning_v2").mkdir(parents=True)
    (folder / "tables/p_tuning_v2/table2_small.records.json").write_text(json.dumps(sidecar))
    return folder


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "results")


def found(results, *words):
    return explain.fitting(explain.cells(results, "table2"), words)


def shown(results, *words):
    lines = list(explain.explained(found(results, *words)))
    assert max(map(len, lines)) <= explain.WIDTH
    return "\n".join(lines)


def test_without_words_every_cell_is_a_line(results):
    assert list(explain.listed(found(results))) == [
        "table2_small  tiny_bert  PT-2   rte  RTE acc           -- (1/2) 1 diverged  2 records",
        "table2_small  tiny_bert  FT     rte  RTE acc           -- (1/2)             1 record, 1 missing",
        "table2_small  tiny_bert  MPT-2  btc  Broad Twitter F1  40.0                 1 record",
        "table2_small  tiny_bert  MPT-2  rte  RTE acc           -- (0/1)             0 records, 1 missing",
    ]


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["rte"], [0, 1, 3]),
        (["twitter"], [2]),
        (["Broad Twitter F1"], [2]),
        (["Broad Twitter"], [2]),
        (["TINY_BERT", "RTE", "pt-2"], [0]),
        (["p_tuning_v2"], [0, 3]),
        (["mpt_2"], [2]),
        (["fine_tuning"], [1]),
        (["12"], [0, 1]),
        (["tiny_bert"], [0, 1, 2, 3]),
    ],
    ids=str,
)
def test_words_find_cells_by_their_keys_their_runs_and_their_column(results, words, rows):
    every = explain.cells(results, "table2_small")
    assert explain.fitting(every, words) == [every[row] for row in rows]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rte-minilm_l6-p_tuning_v2-from-2-sources-seed11-0123456789", ["minilm_l6", "p_tuning_v2", "11"]),
        ("rte-my-own-prompt_tuning-from-cb-seed3-0123456789", ["my-own", "prompt_tuning", "3"]),
        ("btc-minilm_l6-p_tuning_v2-from-ner_open-seed3-0123456789", ["minilm_l6", "mpt_2", "3"]),
        ("cb-minilm_l6-fine_tuning-seed3-0123456789", ["minilm_l6", "fine_tuning", "3"]),
    ],
)
def test_a_run_without_a_record_is_found_by_what_its_name_says(results, name, words):
    gap = explain.cells(results, "table2")[3]
    found = explain.Cell(gap.stem, gap.artefact, gap.cell.model_copy(update={"missing": (name,)}), {})
    assert explain.fitting([found], [name.split("-")[0], *words]) == [found]


def test_without_a_name_every_table_and_figure_is_a_line(results, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["explain", "--results", str(results)])
    explain.main()
    assert capsys.readouterr().out == "table2_small  Table 2\n"


def test_a_word_that_fits_nothing_is_refused_with_those_that_would(results):
    with pytest.raises(
        InputError, match=r"^dropout fits no cell: choose among 11, 12, .*, mpt_2, .*tiny_bert, Twitter\.$"
    ):
        found(results, "dropout")
    with pytest.raises(InputError, match=r"^tinybert fits no cell: did you mean tiny_bert\? Known are 11, 12, "):
        found(results, "tinybert")
    with pytest.raises(InputError, match=r"^rte fits no cell of btc: choose among .*Broad Twitter F1, .*tiny_bert"):
        found(results, "btc", "rte")
    with pytest.raises(InputError, match=r"^table9 is no table or figure in .*: choose one of table2_small\.$"):
        explain.cells(results, "table9")


def test_a_multi_task_cell_is_explained_whole(results):
    text = shown(results, "mpt_2", "btc")
    assert text.startswith("Table 2 (table2_small): tiny_bert · MPT-2 · btc · Broad Twitter F1 = 40.0\n=====")
    for line in (
        "    status        finished",
        "    chosen        epoch 10 of 10, by best_dev",
        "    dev           f1 41.0",
        "    test          f1 40.0",
        "    task          btc, max_length=384",
        "    examples      3,000 training, 20 dev, 30 test",
        "    fingerprint   ffffffffffffffff",
        "    from          source=random id=tiny_bert revision=main pooler=none",
        "    fingerprint   bbbbbbbbbbbbbbbb",
        "    trained       1,234 of 100,000 parameters, 1.23 %",
        "    seed          11",
        "    task          ner_open, a mixture of wnut17, btc; cap=null temperature=1.0",
        "    train         as this run, but epochs=3",
        "    speed         12.3 examples/s",
        "    versions      python 3.11.0, torch 2.11.0",
        "    machine       Linux x86_64, 2 cores",
        "    commit        0123456789abcdef, with uncommitted changes",
    ):
        assert f"\n{line}\n" in text, line
    assert "    prompt        length=20 layers=all placement=prefix" in text
    assert "    record        ner_open-tiny_bert-p_tuning_v2-seed11-" in text


def test_the_commands_can_be_copied(results):
    text = shown(results, "mpt_2", "btc")
    again, remade = text.partition("\n  Again\n")[2].split("\n\ntable2_small is made from records by\n")
    (record,) = found(results, "mpt_2", "btc")[0].runs.values()
    assert shlex.split(again.replace("\\\n", "")) == shlex.split(rerun.command(record))
    made_by = ["python", "-m", "experiments.papers.p_tuning_v2.table2", "profile=small", "data=local", rerun.DATA_ROOT]
    assert shlex.split(remade.replace("\\\n", "")) == made_by
    long = ["one", *["a b" * 9] * 9]
    assert shlex.split("\n".join(explain.shell(long)).replace("\\\n", "")) == long


def test_a_long_curve_is_drawn_whole_and_told_in_part(results):
    text = shown(results, "ft")
    assert "Learning curve (*: the chosen epoch; 9 of 120 evaluations in numbers)" in text
    assert sum(text.count(bar) for bar in explain.BARS) == 120
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("    epoch")}
    assert rows["epoch"][0] == "1" and rows["epoch"][-1] == "120" and "100*" in rows["epoch"]
    assert "\nnot run: rte-tiny_bert-fine_tuning-seed12-" in text


def test_columns_of_fractional_epochs_stand_apart():
    curve = [facts.Point(100 + index / 3, 1e-5 + index / 7e4, 50.0 + index, {}, index == 2) for index in range(9)]
    _, _, epochs, _, losses = explain.drawn(curve, "accuracy")
    assert epochs.split()[1:4] == ["100", "100.33", "100.67*"]
    assert len(epochs.split()) == len(losses.split()) == 10
    assert len(epochs) <= explain.WIDTH and len(losses) <= explain.WIDTH


def test_diverged_and_lost_runs_and_such_as_cannot_be_made_again_are_said_so(results, monkeypatch):
    monkeypatch.setattr(identity, "PROTOCOL", identity.PROTOCOL + 1)
    text = shown(results, "pt-2")
    assert "status        diverged\n    chosen        no epoch: loss or answers were not finite after epoch 0" in text
    assert text.count("Learning curve") == 1
    assert text.count("not possible  record") == 2
    file = next(iter(found(results, "pt-2")[0].runs))
    (results / "runs" / file).unlink()
    assert f"{file}\n  not in results/runs: restore it" in shown(results, "p_tuning_v2", "pt-2", "11")


def test_a_record_behind_two_cells_is_told_once(results):
    file = results / "tables/p_tuning_v2/table2_small.records.json"
    sidecar = json.loads(file.read_text())
    sidecar["cells"].append(sidecar["cells"][2] | {"text": "again"})
    file.write_text(json.dumps(sidecar))
    assert shown(results, "btc").count("told above") == 1


def test_facts_are_sections_in_a_fixed_order_and_a_curve(results):
    record = next(iter(found(results, "pt-2")[0].runs.values()))
    headings = ["Score", "Data", "Backbone", "Method", "Training", "Cost", "Made with"]
    assert [heading for heading, _ in facts.sections(record)] == headings
    assert [(point.dev, point.chosen) for point in facts.curve(record)] == [(50, False), (60.5, True), (55, False)]
    assert [point.chosen for point in facts.curve(record, "last")] == [False, False, True]
    assert facts.curve(record)[1].tests == {"test": 59.5}
    assert facts.sections(record, "last")[0][1][1] == ("chosen", "epoch 10 of 10, by last")


def test_the_command_line_prints_or_refuses(results, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["explain", *arguments, "--results", str(results)])
        explain.main()
        return capsys.readouterr().out

    assert len(call("table2").splitlines()) == 4
    assert call("table2", "btc").startswith("Table 2 (table2_small): tiny_bert")
    with pytest.raises(SystemExit, match=r"^error: wic fits no cell: choose among"):
        call("table2", "wic")
