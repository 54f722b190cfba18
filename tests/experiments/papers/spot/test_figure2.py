"""SPoT's heat map: gains over a target's own baseline, in the order of what gains most; each source trained once."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from experiments.artefacts.sources import BASELINE
from experiments.papers.spot.figure2 import Transfer
from ptuning.errors import InputError
from ptuning.records import store
from ptuning.records.identity import run_id
from tests.experiments.records import fake_record

SCORES = {("cb", BASELINE): 50, ("cb", "sst2"): 61, ("cb", "boolq"): 48, ("rte", BASELINE): 60, ("rte", "sst2"): 65}


def made(tmp_path, *overrides):
    figure = artefact("spot/figure2")
    runs = figure.runs(["profile=laptop", f"runtime.results={tmp_path}", *overrides])
    for run in runs:
        source = next((one.task.name for one in run.sources.values()), BASELINE)
        if (run.task.name, source) in SCORES:
            score = SCORES[run.task.name, source] + run.seed - 12
            store.write(run, fake_record(run, [score], source="miniature"))
    return figure, runs


def test_gains_are_over_the_targets_own_baseline(tmp_path):
    figure, runs = made(tmp_path, "seed=11,12,13")
    ours = [point for point in figure.points(runs) if point.ours]
    gains = figure.gains(ours)
    assert {key: round(gain.mean, 6) for key, gain in gains.items()} == {
        ("sst2", "cb"): 11, ("boolq", "cb"): -2, ("sst2", "rte"): 5,
    }  # fmt: skip
    assert all(gain.error == pytest.approx((1 / 3 + 1 / 3) ** 0.5) for gain in gains.values())
    output = figure.build(runs, "figure2")
    assert len(output.places) == 6 and "+11.0 ±0.8" in set(output.frames[0]["gain"])


def test_the_papers_table_is_whole(tmp_path):
    figure, runs = made(tmp_path)
    papers = [point for point in figure.points(runs) if not point.ours]
    gains = figure.gains(papers)
    assert len(gains) == 160
    best = max(gains, key=lambda key: gains[key].mean)
    assert (best, round(gains[best].mean, 1)) == (("MNLI", "COPA"), 12.6)


def test_a_source_is_asked_in_its_own_words_and_trained_once(tmp_path):
    _, runs = made(tmp_path)
    sources = {}
    for run in runs:
        for one in run.source_runs:
            assert one.run.head.name == "verbalizer"
            assert one.run.head.keys["template"] == next(iter(one.run.single.templates.values())).text
            sources.setdefault(one.run.task.name, set()).add(run_id(one.run))
    assert {name: len(ids) for name, ids in sources.items()} == {"sst2": 1, "boolq": 1}


def test_a_run_of_several_sources_has_no_place(make_run):
    prompt = {"init": {"name": "prompt", "start": {"name": "zero"}}}
    task = make_run(task="cb").task.model_dump()
    for sources, why in (
        ({"a": {"seed": 2, "task": task}, "b": {"seed": 3, "task": task}}, "starts from several prompts"),
        ({"a": {"seed": 2}}, "starts from a prompt of its own task"),
    ):
        config = make_run("prompt_tuning")
        run = type(config).model_validate(config.model_dump() | {"prompt": config.prompt | prompt, "sources": sources})
        with pytest.raises(InputError, match=why):
            Transfer().spots([run])
