"""P-Tuning on LAMA: a run a relation, a row a way to ask, means over relations and over facts."""

from __future__ import annotations

import pytest

from experiments.papers.p_tuning.lama import BY_FACTS, DEEP, ENCODERS, HAND, TABLE
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from tests.experiments.records import fake_record

SWEEP = ["experiment=p_tuning/lama"]


def test_its_runs_ask_in_five_ways_of_which_one_trains_nothing():
    runs = TABLE.runs(["profile=laptop"])
    assert {TABLE.row(run) for run in runs} == {HAND, *ENCODERS.values(), DEEP}
    for run in runs:
        zero_shot, placed = TABLE.row(run) == HAND, run.method == "p_tuning"
        assert (run.train.steps == 0) == zero_shot and run.head.keys["candidates"] == "vocabulary"
        assert (run.head.keys["template"] is not None) == placed == ((run.prompt or {}).get("placement") == "template")


@pytest.mark.parametrize(("profile", "relations"), [("small", 10), ("paper", 39)])
def test_all_relations_with_a_hand_template_are_asked(profile, relations):
    keys = [f"profile={profile}", "data=local", "data.root=/anywhere", "text=/anywhere"]
    runs = compose.expand([*SWEEP, *keys, "method=zero_shot"])
    assert len({run.single.options["relation"] for run in runs}) == relations == len(runs) // 2


def test_means_are_over_relations_and_over_facts(tmp_path):
    runs = TABLE.runs(["profile=laptop", "method=zero_shot", "backbone=bert_tiny", f"runtime.results={tmp_path}"])
    for run, score, facts in zip(runs, (20.0, 50.0), (10, 20), strict=True):
        record = fake_record(run, [score])
        record["metric"] = "p_at_1"
        record["history"][0] = {"step": 0, "epoch": 0, "dev": {"p_at_1": score}, "tests": {"test": {"p_at_1": score}}}
        record["data"]["test_examples"] = {"test": facts}
        store.write(run, record)
    found = {title: cell.mean for (_, _, title), cell in TABLE.cells(runs).items()}
    assert found["P@1 over relations"] == 35 and found[BY_FACTS] == 40
    text = TABLE.build(runs, "lama").text
    assert "64ᵃ" in text and "are not comparable" in text


def test_another_method_has_no_row():
    (run,) = compose.expand(["method=prompt_tuning", "task=lama", "backbone=tiny_bert"])
    with pytest.raises(InputError, match="has no row in lama"):
        TABLE.cells([run])


def test_the_papers_settings_are_those_of_its_lama():
    (run,) = compose.expand(["paper=p_tuning_lama", "method=p_tuning", "task=lama", "backbone=bert_large"])
    assert (run.prompt["length"], run.prompt["placement"]) == (9, "template")
    assert (run.train.lr, run.train.gamma, run.train.weight_decay, run.train.patience) == (1e-5, 0.98, 5e-4, 20)
    assert (run.head.name, run.head.keys["candidates"]) == ("cloze", "vocabulary")
