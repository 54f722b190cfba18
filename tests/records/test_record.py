"""When an evaluation was, in words."""

from __future__ import annotations

import pytest

from experiments.artefacts import facts, index
from experiments.site.run import Run
from ptuning.records.record import place
from ptuning.sweep.progress import run_summary
from tests.experiments.records import fake_record


@pytest.mark.parametrize(
    ("train", "line", "text"),
    [
        ({"epochs": 2, "steps": None}, {"epoch": 1, "step": 9}, "epoch 1 of 2"),
        ({"epochs": 2}, {"epoch": 2}, "epoch 2 of 2"),
        ({"epochs": 3, "steps": None}, {"epoch": 2 + 1 / 3, "step": 7}, "epoch 2.33 of 3"),
        ({"epochs": 200, "steps": None}, {"epoch": 123 + 1 / 3, "step": 7}, "epoch 123.33 of 200"),
        ({"epochs": None, "steps": 100}, {"epoch": 0.4, "step": 40}, "step 40 of 100"),
    ],
)
def test_an_evaluation_is_placed_by_what_the_run_counts(train, line, text):
    assert place({"config": {"train": train}}, line) == text


def test_it_is_called_the_same_wherever_a_run_is_told_of(make_run):
    config = make_run(train__epochs=2, train__eval_every=1)
    record = fake_record(config, [60.0, 71.5, 70.0])
    for number, line in enumerate(record["history"], 1):
        line |= {"epoch": number / 3, "step": number}
    record |= {"speed": {}, "parameters": {"trained": 1, "total": 2, "share": 0.5}}
    told = [
        run_summary(config, record, found=False),
        index._score(record),
        Run("rte", record, None).outcome(),
        str(facts.sections(record)[0]),
    ]
    assert all("epoch 0.67 of 2" in one for one in told), told
