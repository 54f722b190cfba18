"""Transferability's matrix: scores relative to a target's own prompt, tasks that answer each other side by side."""

from __future__ import annotations

import itertools

import pytest

from experiments.artefacts.heat_map import Shade
from experiments.artefacts.remake import artefact
from experiments.papers.transferability.matrix import UNTRAINED, is_untrained, relative
from ptuning.launch import evaluations
from ptuning.records import store
from tests.experiments.records import fake_evaluation, fake_record

OWN = {"sst2": 80, "mnli": 60, "qqp": 75, "snli": 50}
NEAR = [{"mnli", "snli"}, {"sst2", "qqp"}]  # answer each other with nine tenths of what they reach themselves


@pytest.fixture
def made(tmp_path):
    figure = artefact("transferability/matrix")
    overrides = [f"runtime.results={tmp_path}", f"task={','.join(OWN)}", "seed=11,12"]
    runs = figure.runs(overrides)
    for run in runs:
        if is_untrained(run):
            store.write(run, fake_record(run, [20], source="miniature"))
    for one in evaluations.asked([f"experiment={figure.experiment}", *overrides]):
        (run,), target = one.runs, one.target
        share = 1 if run.task.name == target else 0.9 if {run.task.name, target} in NEAR else 0.5
        worse = 4 * (run.seed - 11) if run.task.name != target else 0  # with the other seed
        if target in OWN and (run.task.name, target) != ("qqp", "mnli"):
            store.write(one.config, fake_evaluation(one.config, share * OWN[target] - worse))
    return figure, runs, overrides


def test_scores_are_relative_to_the_targets_own_prompt_seed_by_seed(made):
    figure, runs, overrides = made
    output = figure.make(runs, "matrix", overrides)
    frame = output.frames[0]
    shown = {(row["source"], row["target"]): row["relative"] for _, row in frame.iterrows() if row[""] == "bert_tiny"}
    assert shown["mnli", "snli"] == "86 ±6"  # 90 of one seed and 82 of the other
    assert shown["sst2", "sst2"] == "100 ±0" and shown[UNTRAINED, "qqp"] == "27 ±0"
    assert shown["qqp", "mnli"] == "" and set(frame["score"][frame["source"] == "qqp"]) >= {"-- (0/2)"}
    places = {(place.keys["source"], place.keys["series"]): place for place in output.places}
    assert len(places["mnli", "snli"].records) == 2


def test_a_task_that_has_not_answered_itself_has_no_column(made):
    figure, runs, _ = made
    points = [point for point in figure.points(runs) if point.spot.panel == "bert_tiny"]
    assert {point.spot.label for point in points} == {UNTRAINED} and relative(points) == {}


def test_tasks_that_answer_each_other_well_stand_together():
    figure = artefact("transferability/matrix")
    shades = {}
    for source, target in itertools.product(OWN, OWN):
        value = 100.0 if source == target else 90.0 if {source, target} in NEAR else 50.0
        shades[source, target] = Shade(value, "")
    rows, columns = figure.order(shades | {(UNTRAINED, "sst2"): shades["sst2", "mnli"]})
    assert rows == [*columns, UNTRAINED]
    assert {frozenset(columns[:2]), frozenset(columns[2:])} == {frozenset(pair) for pair in NEAR}


def test_the_papers_tasks_that_are_here_stand_beside(made):
    figure, runs, overrides = made
    frame = figure.make(runs, "matrix", overrides).frames[0]
    papers = frame[frame[""] == "T5 small (paper)"]
    assert len(papers) == 6 * 7 and set(papers["relative"][papers["source"] == papers["target"]]) == {"100"}
    one = papers[(papers["source"] == "mnli") & (papers["target"] == "snli")]
    assert list(one["score"]) == ["68.9ᵃ"] and list(one["relative"]) == ["89"]
