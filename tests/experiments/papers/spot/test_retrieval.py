"""SPoT: sources are ranked by how alike their prompts are to the target's own early one; averages by source."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from experiments.artefacts.sources import source_of
from experiments.papers.spot.table3 import AVERAGE, BASELINE, ORACLE, best_of
from ptuning.errors import InputError
from ptuning.launch import evaluations
from ptuning.records import similarities, store
from ptuning.records.identity import run_id, source_id
from ptuning.records.similarities import Compared
from tests.experiments.records import fake_record

SOURCES = {"sst2": 1.0, "boolq": 0.5, "mnli": 0.2}  # how alike to every target
SCORES = {"no source": 50, "sst2": 52, "boolq": 58, "mnli": 40}


@pytest.fixture
def sweep(tmp_path):
    overrides = [f"runtime.results={tmp_path}", "task=rte", "seed=11,12", "sweep.spot.sources='sst2,boolq,mnli'"]
    runs = artefact("spot/table3").runs(overrides)
    for run in runs:
        worse = 5 if (source_of(run), run.seed) == ("sst2", 12) else 0
        store.write(run, fake_record(run, [SCORES[source_of(run)] - worse], source="miniature"))
    return runs, overrides


def compare(runs, overrides):
    (config,) = evaluations.compared(["experiment=spot/table3", *overrides])
    places = {run_id(run): 0.0 for run in runs if not run.sources}
    places |= {source_id(run.source_runs[0]): SOURCES[source_of(run)] for run in runs if run.sources}
    assert {prompt.id for prompt in config.prompts} == places.keys() and len(places) == 2 + 6
    values = [places[prompt.id] for prompt in config.prompts]
    matrix = [[one + other for other in values] for one in values]
    prompts = [Compared(id=one.id, step=one.step, record="x.json") for one in config.prompts]
    similarities.write(config, prompts, {"cosine_averaged": matrix, "cosine_pairs": matrix}, {})


def test_the_best_of_the_nearest_is_taken_seed_by_seed(sweep):
    runs, overrides = sweep
    table = artefact("spot/table3")
    compare(runs, overrides)
    output = table.make(runs, "table3", overrides)
    frame = output.frames[0].set_index("Method")
    shown = {row: frame.loc[row, "RTE acc"].rstrip(" †") for row in frame.index}
    assert shown[BASELINE] == "50.0 ± 0.0" and shown[ORACLE] == "58.0 ± 0.0"
    assert shown[best_of(1, "averaged tokens")] == "49.5 ± 3.5", "which helps one seed and hurts the other"
    assert shown[best_of(2, "pairs of tokens")] == "58.0 ± 0.0"
    assert list(frame[AVERAGE]) == list(frame["RTE acc"])
    assert frame.loc[best_of(3, "pairs of tokens"), "RTE acc"] == "", "three are all that there are"
    place = next(p for p in output.places if p.keys["method"] == best_of(2, "averaged tokens"))
    assert len(place.records) == 4, "all that were tried stand behind it"
    assert "| 80.7" in output.text


def test_the_gain_against_the_similarity_of_each_pair(sweep):
    runs, overrides = sweep
    figure = artefact("spot/similarity")
    compare(runs, overrides)
    output = figure.make(runs, "similarity", overrides)
    frame = output.frames[0]
    first = frame[frame[""] == "bert_tiny, averaged tokens"]
    assert list(first["similarity"]) == ["1.000 (sst2)", "0.500 (boolq)", "0.200 (mnli)"]
    assert [text.split()[0] for text in first["score"]] == ["-0.5", "8.0", "-10.0"]
    assert any("3 pairs of a source and a target; Pearson's r +0.4" in note for note in output.notes)


def test_a_sweep_whose_prompts_were_not_compared_is_refused(sweep):
    runs, overrides = sweep
    with pytest.raises(InputError, match=r"have not been compared .*experiments.evaluate experiment=spot/table3"):
        artefact("spot/table3").make(runs, "table3", overrides)


def test_sources_keep_the_prompts_that_are_compared(sweep):
    runs, _ = sweep
    (run, *_) = [run for run in runs if run.sources]
    (source,) = run.source_runs
    assert source.run.runtime.keep_steps == ["last", *run.runtime.keep_steps] and run.runtime.keep_steps == [10]
    assert source.run.task.max_length == run.task.max_length


def test_averages_are_over_the_targets_of_a_benchmark_seed_by_seed(tmp_path):
    table = artefact("spot/table1")
    runs = table.runs([f"runtime.results={tmp_path}", "seed=11,12"])
    for run in runs:
        store.write(run, fake_record(run, [SCORES[source_of(run)] + (run.seed - 11) * 2], source="miniature"))
    found = {(row, title): cell.text for (_, row, title), cell in table.cells(runs).items()}
    assert found == {
        ("no source", "SuperGLUE avg"): "51.0 ± 1.4", ("from sst2", "SuperGLUE avg"): "53.0 ± 1.4",
        ("from boolq", "SuperGLUE avg"): "59.0 ± 1.4",
    }  # fmt: skip
    text = table.build(runs, "table1").text
    assert "SPoT source MNLI" in text and "72.6 ± 0.8" in text
