"""P-Tuning on FewGLUE: a row a prompt encoder and backbone, and the official dev set apart from what chooses."""

from __future__ import annotations

import pytest

from experiments.papers.p_tuning.fewglue import TABLE
from ptuning import methods
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from tests.experiments.records import fake_record

SWEEP = ["experiment=p_tuning/fewglue"]


def test_its_runs_have_a_row_each_and_the_backbone_has_a_rate_of_its_own_where_it_trains():
    runs = compose.expand([*SWEEP, "profile=laptop"])
    cells = TABLE.cells(runs)
    assert {method for _, method, _ in cells} == set(TABLE.methods) and len(runs) == 12
    for run in runs:
        assert run.train.lrs == ({"backbone": 1e-5} if methods.trains_backbone(run) else {})
        assert (run.train.lr, run.prompt["length"], run.prompt["placement"]) == (1e-4, 1, "template")
        assert "<p>" in run.head.keys["template"]
    ways = {run.prompt["reparameterization"]["name"]: run.prompt["reparameterization"] for run in runs}
    assert (ways["mlp"]["hidden"], ways["mlp"]["activation"]) == (None, "relu")


@pytest.mark.parametrize("profile", ["small", "paper"])
def test_the_official_dev_set_is_the_test_set(profile):
    runs = compose.expand([*SWEEP, f"profile={profile}", "data=local", "data.root=/anywhere"])
    assert len(runs) == 36
    assert {run.data.files["official_dev"] for run in runs} == {"superglue/{folder}/val.jsonl"}


def test_what_is_not_at_hand_is_said_and_stand_in_columns_are_apart(tmp_path):
    runs = TABLE.runs(["profile=laptop", "task=rte", f"runtime.results={tmp_path}"])
    for run in runs:
        record = fake_record(run, [62.5], source="miniature")
        record["history"][0]["step"] = run.train.steps
        store.write(run, record)
    text = TABLE.build(runs, "fewglue").text
    assert "RTE is not at hand" in text and "92.9ᵃ" in text and "62.5 †" in text


def test_another_method_has_no_row():
    (run,) = compose.expand(["method=fine_tuning", "task=cb"])
    with pytest.raises(InputError, match=r"has no row in fewglue"):
        TABLE.cells([run])
