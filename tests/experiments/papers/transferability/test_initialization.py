"""Transfer as initialization: how many times sooner, by hand."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from experiments.artefacts.sources import BASELINE, source_of
from experiments.papers.transferability.initialization import Pace
from ptuning.records import store
from tests.experiments.records import fake_record


def history(*scores):
    """A record with an evaluation each quarter of an epoch."""
    lines = [{"epoch": place / 4, "dev": {"accuracy": score}} for place, score in enumerate(scores, 1)]
    return {"metric": "accuracy", "history": lines}


def test_a_pace_by_hand():
    plain = history(50, 60, 55, 70, 70)  # has its best at the fourth
    assert Pace.of(history(50, 72, 75, 74), plain) == Pace(convergence=4 / 3, comparable=2, gain=5)
    assert Pace.of(history(50, 65, 60), plain) == Pace(convergence=2, comparable=None, gain=-5)
    assert Pace.of(plain, plain) == Pace(1, 1, 0)


def test_a_target_is_compared_with_itself_from_the_vocabulary_seed_by_seed(tmp_path):
    figure = artefact("transferability/initialization")
    runs = figure.runs([f"runtime.results={tmp_path}", "seed=11,12", "task=rte,mrpc"])
    assert len(runs) == 2 * 2 * 8
    curves = {BASELINE: (50, 50, 50, 60), "mnli": (50, 60, 62, 61), "sst2": (50, 51, 52, 53)}
    for run in runs:
        source = source_of(run)
        if run.task.name == "rte" and source in curves:
            scores = (61, 60, 60, 60) if (source, run.seed) == ("sst2", 12) else curves[source]
            store.write(run, fake_record(run, scores, source="miniature"))
    output = figure.build(runs, "initialization")
    frame = output.frames[0]
    shown = {(row["source"], row["target"]): row for _, row in frame.iterrows()}
    assert shown["mnli", "rte"]["speed-up"] == "×2.0" and shown["mnli", "rte"]["gain"] == "+2.0"
    assert shown["mnli", "rte"]["convergence"] == "×1.3"
    assert shown["sst2", "rte"]["speed-up"] == "never (1/2)" and shown["sst2", "rte"]["gain"] == "-3.0"
    assert shown[BASELINE, "rte"]["speed-up"] == "" == shown["qqp", "rte"]["speed-up"]


@pytest.mark.parametrize("profile", ["laptop", "paper"])
def test_sources_are_the_runs_of_the_matrix(profile):
    sources = {
        one.run.model_dump_json(include={"task", "data", "train", "head", "prompt"})
        for run in artefact("transferability/initialization").runs([f"profile={profile}", "seed=11", "data=miniature"])
        for one in run.source_runs
    }
    trained = {
        run.model_dump_json(include={"task", "data", "train", "head", "prompt"})
        for run in artefact("transferability/matrix").runs([f"profile={profile}", "seed=11", "data=miniature"])
        if run.train.steps is None
    }
    assert sources == trained and len(trained) == 7
