"""Packed equals solo, a diverging lane harms nobody, and batches and schedules are what they say."""

from functools import partial

import numpy as np
import pytest
import torch

from ptuning.parsed import Run
from ptuning.records import weights
from ptuning.run import run
from ptuning.tasks.wnut17 import WNUT17
from ptuning.training.batching import bucketed, shuffled
from ptuning.training.budget import Budget
from ptuning.training.datasets import DatasetCache
from ptuning.training.evaluate import Evaluation, SplitScores
from ptuning.training.lanes import Lane
from ptuning.training.loop import train
from ptuning.training.schedules import schedule
from tests.conftest import MLP, OPTIONS, make_backbone


def lanes_of(configs, backbone):
    datasets = DatasetCache(backbone)
    return [
        Lane.build(
            run, [datasets.of(run, name) for name in run.tasks], backbone, weights.sources(run.config, backbone)
        )
        for run in map(Run.parse, configs)
    ]


def train_all(backbone, lanes, budget=None):
    """Train lanes to their end; those that ended, in that order."""
    found = train(backbone, partial(next, iter(lanes), None), budget or Budget(4096), progress=False)
    return [lane for lane in found if lane.status != "running"]


def trained(configs, budget=None, cached=False):
    """Lanes of `configs`, trained together; and the same in the order in which they ended."""
    backbone = make_backbone()
    if cached:
        backbone.cache_hidden(1e8, 0)
    lanes = lanes_of(configs, backbone)
    return lanes, train_all(backbone, lanes, budget)


@pytest.fixture
def mixed(make_run):
    """Lanes that differ in method, task, head, prompt length, depth, placement, positions, rate, seed and epochs."""
    return [
        make_run("p_tuning_v2", "rte", seed=1, prompt__dropout=0.2),
        make_run("p_tuning_v2", "cb", seed=2, prompt__length=6, prompt__layers="3-4", train__lr=3e-2),
        make_run("prompt_tuning", "copa", seed=3, prompt__placement="infix", train__epochs=3),
        make_run("p_tuning_v2", "wic", seed=4, prompt__layers=[1, 4], prompt__reparameterization=MLP),
        make_run("prompt_tuning", "rte", seed=5, prompt__length=5, prompt__positions="keep", train__batch_size=3),
        make_run("prompt_tuning", "wsc", seed=6, prompt__double_embedding=True, train__schedule="exponential"),
        make_run("p_tuning_v2", "wnut17", seed=8, prompt__length=4, prompt__dropout=0.1),
        make_run("prompt_tuning", "squad", seed=9, prompt__placement="infix", task__options=OPTIONS["squad"]),
        make_run("prompt_tuning", "conll12", seed=10, data__train_rows=5, train__batch_size=3),
        make_run("p_tuning_v2", "multirc", seed=7, data__train_rows=3, prompt__placement="infix", train__clip=None),
    ]


@pytest.mark.parametrize("batching", ["shuffled", "bucketed"])
def test_packed_equals_solo(mixed, batching):
    mixed = [
        config.model_copy(update={"train": config.train.model_copy(update={"batching": batching})}) for config in mixed
    ]
    packed, ended = trained(mixed, Budget(4096, overhead=30))
    assert [lane.status for lane in ended] == ["finished"] * len(mixed)
    for lane, config in zip(packed, mixed, strict=True):
        (alone,), _ = trained([config])
        assert [e.loss for e in lane.history] == pytest.approx([e.loss for e in alone.history], rel=2e-4)
        assert [(e.dev, e.tests) for e in lane.history] == [(e.dev, e.tests) for e in alone.history]
        for one, other in zip(lane.parameters, alone.parameters, strict=True):
            torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)


def test_a_diverging_lane_is_stopped_and_harms_nobody(make_run):
    good, bad = make_run(seed=1), make_run(seed=2, prompt__length=5)
    backbone = make_backbone()
    lanes = lanes_of([good, bad], backbone)
    with torch.no_grad():
        lanes[1].adapter.method.reparameterization.prompt.fill_(float("nan"))
    train_all(backbone, lanes)
    assert [lane.status for lane in lanes] == ["finished", "diverged"]
    (alone,), _ = trained([good])
    assert [e.loss for e in lanes[0].history] == pytest.approx([e.loss for e in alone.history], rel=1e-4)
    assert lanes[1].history == []


def test_a_diverged_run_is_recorded_as_such(make_run, monkeypatch):
    config = make_run()
    build = Lane.build

    def poisoned(*arguments):
        lane = build(*arguments)
        with torch.no_grad():
            lane.adapter.head.linear.weight.fill_(float("nan"))
        return lane

    monkeypatch.setattr(Lane, "build", poisoned)
    (record,) = run([config])
    assert record["status"] == "diverged"
    assert record["score"] is None


def test_early_stopping_waits_as_long_as_it_is_told(make_run, monkeypatch):
    scores = iter([50.0, 60.0, 55.0, 55.0, 99.0])
    monkeypatch.setattr(
        "ptuning.training.loop.evaluate", lambda *_: [Evaluation(SplitScores({"accuracy": next(scores)}, ""), {})]
    )
    (lane,), _ = trained([make_run(train__epochs=5, train__patience=2)])
    assert lane.status == "stopped_early"
    assert [e.dev["accuracy"] for e in lane.history] == [50.0, 60.0, 55.0, 55.0]


@pytest.mark.parametrize(("rule", "asked"), [("best_dev", [1, 2, 5]), ("last", [1, 2, 3, 4, 5])])
def test_test_sets_are_scored_only_in_epochs_that_the_rule_would_choose(make_run, monkeypatch, rule, asked):
    config = make_run(task="wnut17", train__epochs=5, selection=rule)
    dev = iter([50.0, 60.0, 55.0, 60.0, 61.0])
    score = WNUT17.score

    def scored(task, examples, answers):
        found = score(task, examples, answers)
        return found | {"f1": next(dev)} if len(examples) == len(sets[0].data.dev) else found

    sets = [lanes_of([config], make_backbone())[0].tasks[0].dataset]
    assert len(sets[0].data.dev) != len(sets[0].data.tests["test"])
    monkeypatch.setattr(WNUT17, "score", scored)
    ((lane,), _) = trained([config])
    assert [epoch.epoch for epoch in lane.history if epoch.tests] == asked
    assert all(set(epoch.tests) <= {"test"} for epoch in lane.history)


def test_bucketed_batches_hold_every_example_once_and_little_padding():
    random = np.random.default_rng(0)
    lengths = random.integers(5, 100, size=1000)
    batches = bucketed(lengths, 16, random)
    assert sorted(index for batch in batches for index in batch) == list(range(1000))
    assert max(len(batch) for batch in batches) == 16
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)


def test_shuffled_batches_hold_every_example_once_and_any_may_meet():
    lengths = np.arange(250) // 2
    random = np.random.default_rng(0)
    epochs = [shuffled(lengths, 16, random) for _ in range(2)]
    pairs = []
    for batches in epochs:
        assert sorted(index for batch in batches for index in batch) == list(range(250))
        assert [len(batch) for batch in batches] == [16] * 15 + [10]
        assert all((np.diff(lengths[batch]) >= 0).all() for batch in batches), "so that a cut by length is a slice"
        assert all(np.ptp(lengths[batch]) > 30 for batch in batches[:-1])
        pairs.append({(a, b) for batch in batches for a in batch for b in batch if a < b})
    again = len(pairs[0] & pairs[1]) / len(pairs[0])
    assert again < 0.12, "that meet again in the next epoch: 6 % by chance"


def test_lanes_of_other_seeds_have_batches_of_the_same_length_at_each_step():
    lengths = np.random.default_rng(0).integers(5, 100, size=1000)
    one, other = (bucketed(lengths, 16, np.random.default_rng(seed)) for seed in (1, 2))
    assert any(set(a) != set(b) for a, b in zip(one, other, strict=True))
    widths = [np.array([lengths[batch].max() for batch in batches]) for batches in (one, other)]
    assert np.abs(widths[0] - widths[1]).mean() < 3
    assert len(set(widths[0].tolist())) > 30


def test_the_data_order_depends_on_seed_and_epoch_only(make_run):
    def order(config):
        (lane,) = lanes_of([config], make_backbone())
        return [part.rows.tolist() for part in lane.batches()]

    assert order(make_run(seed=1)) == order(make_run(seed=1, train__lr=1e-3))
    assert order(make_run(seed=1)) != order(make_run(seed=2))
    assert order(make_run(train__batching="shuffled")) != order(make_run(train__batching="shuffled", seed=2))
    assert order(make_run(train__batching="shuffled")) != order(make_run(train__batching="bucketed"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("exponential", [1.0, 1.0, 0.95, 0.95]),
    ],
)
def test_schedules(make_run, kind, expected):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    falling = schedule(optimizer, make_run(train__schedule=kind).train, 4, steps_per_epoch=2)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        falling.step()
    assert rates == pytest.approx(expected)


def test_warmup_rises_before_the_rate_falls(make_run):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    falling = schedule(optimizer, make_run(train__warmup=0.5).train, 8, steps_per_epoch=4)
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        falling.step()
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 0.75, 0.5, 0.25])


def test_noam_rises_over_the_warmup_and_falls_with_the_root_of_the_step(make_run):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    falling = schedule(optimizer, make_run(train__schedule="noam", train__warmup=0.25).train, 16, steps_per_epoch=4)
    rates = []
    for _ in range(16):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        falling.step()
    assert rates[:4] == pytest.approx([n / 8 for n in (1, 2, 3, 4)])
    assert rates[4:] == pytest.approx([n**-0.5 for n in range(5, 17)])
