"""Transferability's correlations: a measure that ranks sources as they transfer has 1, one that has it reversed -1."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from ptuning.errors import InputError
from ptuning.launch import evaluations
from ptuning.records import similarities, store
from ptuning.records.similarities import Compared
from tests.experiments.records import fake_evaluation, fake_record

TASKS = ("sst2", "mnli", "qqp", "rte")


@pytest.fixture
def sweep(tmp_path):
    """Sources further away answer a task worse; of seed 12 the other way round."""
    figure = artefact("transferability/correlation")
    overrides = [f"runtime.results={tmp_path}", f"task={','.join(TASKS)}", "seed=11,12"]
    runs = figure.runs(overrides)
    for run in runs:
        store.write(run, fake_record(run, [50], source="miniature"))
    for one in evaluations.asked([f"experiment={figure.experiment}", *overrides]):
        (run,) = one.runs
        if one.target in TASKS:
            far = abs(TASKS.index(run.task.name) - TASKS.index(one.target))
            store.write(one.config, fake_evaluation(one.config, 80 - 10 * far * (1 if run.seed == 11 else -1)))
    return figure, runs, overrides


def compared(figure, overrides):
    (config,) = evaluations.compared([f"experiment={figure.experiment}", *overrides])
    return config


def write(config, runs):
    places = [TASKS.index(run.task.name) for run in runs]
    near = [[1 / (1 + abs(one - other)) for other in places] for one in places]
    metrics = {
        "near": near,
        "far": [[-value for value in row] for row in near],
        "same": [[1.0] * len(runs)] * len(runs),
    }
    prompts = [Compared(id=one.id, step=one.step, record="x.json") for one in config.prompts]
    similarities.write(config, prompts, metrics, {})


def test_a_measure_is_as_good_as_it_ranks_the_sources_of_a_target(sweep):
    figure, runs, overrides = sweep
    config = compared(figure, overrides)
    assert [one.step for one in config.prompts] == ["best"] * 8
    write(config, runs)
    output = figure.make(runs, "correlation", overrides)
    shown = dict(zip(output.frames[0]["measure"], output.frames[0]["correlation"], strict=True))
    assert shown["near"] == "+0.00 ± 1.41" and shown["same"] == "--"
    one_seed = [*overrides[:2], "seed=11"]
    config = compared(figure, one_seed)
    write(config, [run for run in runs if run.seed == 11])
    frame = figure.make(runs, "correlation", one_seed).frames[0]
    assert dict(zip(frame["measure"], frame["correlation"], strict=True)) == {
        "near": "+1.00",
        "far": "-1.00",
        "same": "--",
    }
    assert all(len(place.records) == 16 for place in figure.make(runs, "correlation", one_seed).places)


def test_prompts_that_were_not_compared_are_asked_for(sweep):
    figure, runs, overrides = sweep
    with pytest.raises(
        InputError, match=r"the prompts of bert_tiny have not been compared .*: make it with python -m"
    ):
        figure.make(runs, "correlation", overrides)
