"""PPT's table from records alone: an arm a row, subsets as seeds, one pre-training for all."""

from __future__ import annotations

from experiments.artefacts.remake import artefact
from ptuning.records import store
from ptuning.records.identity import run_id
from tests.experiments.records import fake_record


def test_each_arm_has_a_row_of_its_subsets_and_the_papers_stand_below(tmp_path):
    table = artefact("ppt/table3")
    runs = table.runs(["profile=laptop", f"runtime.results={tmp_path}", "data.sample_seed=1,2,3"])
    assert len(runs) == 2 * 3 * 5
    for run in runs:
        score = 40.0 + 10 * table.methods.index(table.row(run)) + run.data.sample_seed
        record = fake_record(run, [score], source="miniature")
        line = record["history"][0] | {"tests": {"official_dev": {"accuracy": score}}}
        data = record["data"] | {"test_examples": {"official_dev": 8}}
        store.write(run, record | {"history": [line], "data": data})
    frame = table.build(runs, "table3").frames[0].set_index(["Backbone", "Method"])
    scores = [frame.loc[("bert_tiny", method), "RTE acc"] for method in table.methods]
    assert [score.split()[0] for score in scores] == ["42.0", "52.0", "62.0", "72.0", "82.0"]
    assert all("± 1.0" in score for score in scores)
    assert frame.loc[("paper: T5 1.1 XXL", "hybrid PPT"), "CB acc"] == "73.2 ± 7.0ᵈ"


def test_the_prompt_is_pretrained_once_on_all_of_the_text(tmp_path):
    runs = artefact("ppt/table3").runs(["profile=small", f"runtime.results={tmp_path}"])
    sources = {run_id(one.run): one.run for run in runs for one in run.source_runs}
    (source,) = sources.values()
    assert (source.task.name, source.train.steps, source.train.schedule) == ("next_sentence", 1000, "noam")
    assert (source.data.train_rows, source.data.dev_from, source.data.sample_seed) == (None, "official", 0)
    assert source.head.keys["template"] == "{first} <mask> {second}"
