"""Table 3 from records alone: test sets, several numbers a run, multi-task runs, and stand-ins beside the paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.artefacts import published
from experiments.papers.p_tuning_v2.table2 import TABLE as TABLE2
from experiments.papers.p_tuning_v2.table3 import TABLE
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from ptuning.records.identity import run_id
from ptuning.records.record import score_of
from tests.data.test_mixtures import child_of
from tests.experiments.records import to_the_end

GOLDEN = Path(__file__).parent / "golden"


def fake_record(config, source="local", **history):
    """`history`: what each set scored, an entry an epoch; a test set is asked only where dev is at its best so far."""
    epochs, best = [], -1.0
    for index, dev in enumerate(history["dev"]):
        epoch = {"epoch": index + 1, "dev": dev, "tests": {}}
        if dev["f1"] > best:
            epoch["tests"] = {name: scores[index] for name, scores in history.items() if name != "dev"}
        best = max(best, dev["f1"])
        epochs.append(epoch)
    return {
        "id": run_id(config),
        "status": "finished",
        "config": store.dump(config),
        "metric": "f1",
        "score": best,
        "history": to_the_end(config, epochs),
        "parameters": {"trained": 31, "total": 10000, "share": 0.0031},
        "data": {
            "source": source, "fingerprint": "x", "train_examples": 500, "dev_examples": 8,
            "test_examples": {name: 9 for name in history if name != "dev"},
        },
    }  # fmt: skip


def f1(*values, **more):
    return [{"f1": value} | {key: scores[i] for key, scores in more.items()} for i, value in enumerate(values)]


NER = {"dev": f1(50.0, 70.0, 60.0), "test": f1(45.0, 66.5, 99.0)}
ROLES = {"dev": f1(80.0), "wsj": f1(79.5), "brown": f1(70.25)}
ASKED = {"dev": f1(60.0, 61.0, em=[50.0, 48.0])}


def multi_task(config):
    """The run from one on a mixture that is called as its task's own."""
    child = child_of(config)
    (source,) = child.sources.values()
    source = source.model_copy(update={"task": source.task.model_copy(update={"name": "ner"})})
    return child.model_copy(update={"sources": {"shared": source}})


@pytest.fixture
def sweep(make_run):
    """One run a cell: of the paper's sets, one of them from a source run, and one that is missing."""

    def asked(method, task, **more):
        return make_run(method, task, data__train_rows=None, data__dev_rows=None, **more)

    runs = [
        (asked("fine_tuning", "conll03"), NER),
        (asked("p_tuning_v2", "conll03"), NER),
        (multi_task(asked("p_tuning_v2", "conll03")), NER | {"test": f1(45.0, 71.0, 99.0)}),
        (asked("prompt_tuning", "squad"), ASKED),
        (asked("p_tuning_v2", "conll05"), ROLES),
        (asked("prompt_tuning", "conll12"), None),
    ]
    for config, history in runs:
        if history:
            store.write(config, fake_record(config, **history))
    return [config for config, _ in runs]


def test_the_table_equals_the_one_that_was_read(sweep):
    assert TABLE.build(sweep, "table3").text == (GOLDEN / "table3.md").read_text()


def test_a_test_score_is_that_of_the_epoch_chosen_on_dev(sweep):
    cells = TABLE.cells(sweep)
    assert cells["tiny_bert", "FT", "NER CoNLL03 F1"].scores == (66.5,)
    assert cells["tiny_bert", "MPT-2", "NER CoNLL03 F1"].scores == (71.0,)
    assert cells["tiny_bert", "PT", "QA SQuAD 1.1 EM"].scores == (48.0,)
    assert cells["tiny_bert", "PT", "QA SQuAD 1.1 F1"].scores == (61.0,)
    assert cells["tiny_bert", "PT-2", "SRL CoNLL05 Brown F1"].scores == (70.25,)
    assert cells["tiny_bert", "PT", "SRL CoNLL12 F1"].text == "-- (0/1)"


def test_a_score_that_the_chosen_epoch_does_not_have_is_no_score(sweep):
    record = store.find(sweep[0])
    with pytest.raises(InputError, match=r"has no f1 on test in epoch 3, the one that last chooses"):
        score_of(record, "last", "test", "f1")
    assert score_of(record, "last") == 60.0


def test_stand_ins_get_a_table_of_their_own_above_the_papers(make_run):
    config = make_run("p_tuning_v2", "wnut17")
    store.write(config, fake_record(config, **NER))
    made = TABLE.build([config], "table3_small")
    ours, papers = made.text.split("\n\n")[:2]
    assert "NER WNUT17 F1" in ours and "66.5 ‡" in ours and "paper:" not in ours
    assert papers.count("paper:") == 12 and "WNUT17" not in papers
    assert "12 training" not in made.text and "wnut17: 500 training examples, 9 test" in made.text
    assert [place.records for place in made.places] == [(store.path(config).name,)]


def test_a_set_that_the_data_lack_has_no_cell_and_a_method_without_a_row_is_refused(make_run, tmp_path):
    config = make_run("p_tuning_v2", "ewt")
    store.write(config, fake_record(config, "miniature", dev=f1(70.0), test=f1(69.0, f1_official=[50.0])))
    assert [key[2] for key in TABLE.cells([config])] == ["SRL EWT F1", "SRL EWT F1 by srl-eval"]
    with pytest.raises(
        InputError, match=r"-from-mixed-.* has no row in table2: leave it out, the rows are FT, PT, PT-2"
    ):
        TABLE2.cells([child_of(make_run())])


def test_every_column_is_a_task_s_and_every_published_number_has_a_column():
    titles = {column.title for column in TABLE.columns}
    assert len(titles) == len(TABLE.columns)
    values = published.read(TABLE.experiment)
    assert len(values) == 3 * 4 * 10
    assert {f"{value['task']} {value['metric']}" for value in values} <= titles
    one = ["experiment=p_tuning_v2/table3", "method=p_tuning_v2", "seed=11"]
    small = compose.expand([*one, "profile=small", "data=local", "data.root=/anywhere", "backbone=minilm_l6"])
    paper = compose.expand([*one, "profile=paper", "backbone=bert_large_uncased"])
    assert {run.task.name for run in [*small, *paper]} == {column.task for column in TABLE.columns}
