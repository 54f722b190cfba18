"""Evaluation records, made by hand: kept, found, scored, put into tables and explained beside those of runs."""

from pathlib import Path

import pytest

from experiments import explain
from experiments.artefacts import facts, index
from experiments.artefacts.sidecar import Frame, Place, Sidecar
from experiments.site import run as site
from ptuning.analysis.cells import cell
from ptuning.config import EvaluationConfig, parse
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.records import matching, store
from ptuning.records.identity import identity, run_id, run_name
from ptuning.records.record import choose_epoch, score_of
from ptuning.run import run

VERBALIZER = {"name": "verbalizer", "template": "{first} <mask>", "words": {}, "loss": "labels", "z_loss": 0.0}


@pytest.fixture
def make_evaluation(make_run):
    def make(**overrides):
        values = make_run().model_dump(include={"backbone", "task", "data", "runtime"})
        prompts = [{"id": f"{index:010x}", "step": "last"} for index in range(5)]
        values |= {"head": "classification", "rule": "majority_vote", "prompts": prompts} | overrides
        return parse(EvaluationConfig, values)

    return make


def record_of(config, accuracy=75.0):
    scores = {"dev": {"accuracy": accuracy}, "tests": {"test": {"accuracy": 50.0}}}
    prompts = [
        one.model_dump() | {"record": f"rte-tiny_bert-p_tuning_v2-seed1-{one.id}.json", "scores": scores}
        for one in config.prompts
    ]
    return {
        "kind": "evaluation", "id": run_id(config), "status": "finished", "config": store.dump(config),
        "identity": identity(config), "prompts": prompts, "metric": "accuracy",
        "scores": scores, "mean": scores, "best": scores, "score": accuracy,
        "data": {"source": "miniature", "fingerprint": "f" * 64, "dev_examples": 8, "test_examples": {"test": 4}},
        "backbone": {"layers": 4},
    }  # fmt: skip


def test_an_evaluations_id_is_made_of_what_can_change_its_score(make_evaluation):
    one = make_evaluation()
    assert run_name(one) == f"rte-tiny_bert-majority_vote-{run_id(one)}"
    runtime = one.runtime.model_copy(update={"device": "auto"})
    assert run_id(one.model_copy(update={"runtime": runtime})) == run_id(one)
    assert identity(one).keys() == {"protocol", "kind", "backbone", "task", "data", "head", "rule", "prompts"}
    prompts = [prompt.model_dump() for prompt in one.prompts]
    others = [
        make_evaluation(rule="mean_probability"), make_evaluation(head=VERBALIZER),
        make_evaluation(prompts=prompts[:-1]), make_evaluation(prompts=[*prompts[:-1], prompts[-1] | {"step": 100}]),
        make_evaluation(data={"source": "miniature", "train_rows": 12, "dev_rows": 6}),
    ]  # fmt: skip
    assert len({run_id(config) for config in (one, *others)}) == 6


def test_what_is_not_a_runs_id_is_refused(make_evaluation):
    with pytest.raises(InputError, match=r"prompts.0.id='rte' is refused"):
        make_evaluation(prompts=[{"id": "rte", "step": "last"}])


def test_the_store_keeps_both_kinds_side_by_side(make_evaluation, make_run):
    config, trained = make_evaluation(), make_run()
    store.write(config, record_of(config))
    (of_run,) = run([trained])
    assert store.find(config) == record_of(config)
    kinds = {record["id"]: record["kind"] for _, record in store.read_all(config.runtime.results)}
    assert kinds == {run_id(config): "evaluation", run_id(trained): "run"}
    assert store.find_id(config.runtime.results, run_id(config)) == record_of(config)
    assert store.find_id(config.runtime.results, run_id(trained)) == of_run
    matching.check_backbone(config, record_of(config))


def test_an_incomplete_evaluation_is_refused(make_evaluation):
    config = make_evaluation()
    store.write(config, {key: value for key, value in record_of(config).items() if key != "scores"})
    with pytest.raises(InputError, match="is not a record of a run or evaluation"):
        store.find(config)
    store.write(config, record_of(config) | {"kind": "guess"})
    with pytest.raises(InputError, match="is not a record of a run or evaluation"):
        store.find(config)


def test_a_table_has_cells_of_evaluations(make_evaluation):
    config, missing = make_evaluation(), make_evaluation(rule="mean_probability")
    store.write(config, record_of(config))
    found = cell([config], "best_dev")
    assert (found.text, found.expected, found.epochs, found.share) == ("75.0", 1, 0, None)
    assert found.records == (store.path(config).name,) and found.evaluated == "8 dev"
    assert cell([config], "best_dev", "test").text == "50.0"
    assert cell([config, missing], "best_dev").missing == (run_name(missing),)


def test_its_score_has_no_epoch(make_evaluation):
    record = record_of(make_evaluation())
    assert choose_epoch(record, "best_dev") is None
    assert score_of(record, "last") == 75.0
    with pytest.raises(InputError, match="has no f1 on dev: delete"):
        score_of(record, "last", metric="f1")


def test_explaining_it_names_the_runs_that_it_is_made_from(make_evaluation):
    record = record_of(make_evaluation())
    found = dict(facts.sections(record, "best_dev"))
    assert found["Score"] == [
        ("dev", "accuracy 75.0"), ("test", "accuracy 50.0"),
        ("mean of its prompts on dev", "accuracy 75.0"), ("best of its prompts on dev", "accuracy 75.0"),
    ]  # fmt: skip
    assert ("rule", "majority_vote") in found["Evaluation"]
    sources = [value for name, value in found["Evaluation"] if name == "run"]
    assert sources == [f"rte-tiny_bert-p_tuning_v2-seed1-{index:010x}.json, step last" for index in range(5)]
    assert facts.curve(record) == []
    with pytest.raises(InputError, match="it is an evaluation"):
        rerun.overrides(record)


def test_the_index_has_it_beside_runs(make_evaluation):
    lines = index.text({Path("one.json"): record_of(make_evaluation())}).splitlines()
    assert lines[-3:] == ["### tiny_bert, majority_vote", "", "* [one](one.json): accuracy 75.0, of 5 prompts"]


def test_the_page_and_the_words_that_find_a_cell_know_it(make_evaluation):
    record = record_of(make_evaluation())
    page = site.Run("one", record, None)
    assert page.label == "rte · tiny_bert · majority_vote of 5 prompts"
    assert page.outcome("best_dev") == "dev accuracy 75.0"
    place = Place(keys={"task": "RTE"}, row=0, column="PT-2", text="75.0", records=("one.json",))
    sidecar = Sidecar(
        name="any", title="", caption="", overrides=[], rule="last", notes=[],
        frames=[Frame(columns=["PT-2"], rows=[["75.0"]])], cells=[place],
    )  # fmt: skip
    cell = explain.Cell("any", sidecar, place, {"one.json": record})
    assert explain.fitting([cell], ["majority_vote", "tiny_bert"]) == [cell]
    lines = list(explain.explained([cell]))
    assert "    rule          majority_vote" in lines
    assert any("it is an evaluation" in line for line in lines)
