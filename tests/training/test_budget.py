"""What shares a pass, what happens when memory runs out, and how many lanes there are at once."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import torch

from ptuning.training import loop
from ptuning.training.budget import Budget, retry_in_halves
from ptuning.training.measure import choose_budget, measure
from tests.conftest import make_backbone
from tests.training.test_lanes import lanes_of, train_all, trained


def test_halving_finds_the_item_at_fault():
    budget = Budget(1000)

    def work(items):
        if 5 in items:
            raise ValueError("five")
        if len(items) > 2:
            raise torch.OutOfMemoryError("too many")
        return [item * 10 for item in items]

    found = retry_in_halves(budget, work, [1, 2, 3, 4, 5, 6, 7, 8], lambda items: 100 * len(items))
    assert [one if isinstance(one, int) else str(one) for one in found] == [10, 20, 30, 40, "five", 60, 70, 80]
    assert budget.tokens == 200


@dataclass
class Small:
    """A device on which only passes of at most `rows` rows fit."""

    rows: int
    sizes: list[int] = field(default_factory=list)

    @contextmanager
    def forward(self, backbone, parts):
        self.sizes.append(sum(len(part.sequences) for part in parts))
        with forward(backbone, parts) as logits:
            if self.sizes[-1] > self.rows:
                raise torch.OutOfMemoryError("CUDA out of memory")  # as late as it can come
            yield logits


forward = loop.forward


def test_out_of_memory_shrinks_the_passes_and_changes_no_run(make_run, monkeypatch):
    configs = [make_run(seed=seed, prompt__dropout=0.3) for seed in range(4)]
    wide, _ = trained(configs)
    small = Small(rows=8)  # two lanes of four
    monkeypatch.setattr(loop, "forward", small.forward)
    budget = Budget(4096)
    narrow, ended = trained(configs, budget)
    assert [lane.status for lane in ended] == ["finished"] * 4
    assert max(small.sizes) > 8 >= max(small.sizes[3:]), "after the first time it is not tried again"
    assert budget.tokens < 4096
    for one, other in zip(wide, narrow, strict=True):
        assert [e.loss for e in one.history] == pytest.approx([e.loss for e in other.history], rel=2e-4)


def test_a_batch_too_large_even_alone_is_cut_and_the_run_is_the_same(make_run, monkeypatch):
    dropout = {"prompt__dropout": 0.3, "train__head_dropout": 0.3}
    configs = [make_run(seed=1), make_run(seed=2, train__batch_size=12, **dropout), make_run(seed=3)]
    whole, _ = trained(configs)
    small = Small(rows=5)
    monkeypatch.setattr(loop, "forward", small.forward)
    lanes, _ = trained(configs)
    assert [lane.status for lane in lanes] == ["finished"] * 3
    assert sum(size > 5 for size in small.sizes) < 8, "what did not fit is not tried again"
    for one, other in zip(whole, lanes, strict=True):
        assert [e.loss for e in one.history] == pytest.approx([e.loss for e in other.history], rel=2e-4)


def test_a_run_of_which_one_example_is_too_large_fails_and_the_others_go_on(make_run, monkeypatch):
    configs = [make_run(seed=1), make_run(task="copa", seed=2, train__batch_size=12), make_run(seed=3)]
    monkeypatch.setattr(loop, "forward", Small(rows=1).forward)
    lanes, _ = trained(configs)
    assert [lane.status for lane in lanes] == ["finished", "failed", "finished"]
    assert str(lanes[1].error).startswith("the run does not fit in memory even one example at a time: shorten")


def test_an_update_that_fails_ends_its_lane_alone_and_is_not_tried_again(make_run, monkeypatch):
    """Memory can run out in the optimizer too, when some of a pass's lanes have been updated."""
    configs = [make_run(seed=seed) for seed in range(3)]
    backbone = make_backbone()
    lanes = lanes_of(configs, backbone)

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(lanes[1].optimizer, "step", full)
    train_all(backbone, lanes)
    assert [lane.status for lane in lanes] == ["finished", "failed", "finished"]
    monkeypatch.undo()
    for config, lane in zip(configs, lanes, strict=True):
        if lane.status == "finished":
            (alone,), _ = trained([config])
            assert [e.loss for e in lane.history] == pytest.approx([e.loss for e in alone.history], rel=2e-4)


def test_an_evaluation_that_fails_ends_its_lane_alone(make_run, monkeypatch):
    configs = [make_run(), make_run(task="cb")]

    def fails(*_):
        raise ZeroDivisionError("no such metric")

    monkeypatch.setattr("ptuning.tasks.cb.CB.score", fails)
    lanes, _ = trained(configs)
    assert [lane.status for lane in lanes] == ["finished", "failed"]
    assert str(lanes[1].error) == "no such metric"


def test_lanes_that_end_are_replaced_from_the_queue_within_the_budget(make_run):
    backbone = make_backbone()
    configs = [make_run(seed=seed, train__epochs=1 + seed % 3) for seed in range(7)]
    lanes = lanes_of(configs, backbone)
    at_once = []

    def in_turn():
        for admitted, lane in enumerate(lanes, 1):
            at_once.append(admitted - sum(one.status == "finished" for one in lanes))
            yield lane

    room = 3.2 * lanes[0].tokens_per_step
    ended = train_all(backbone, in_turn(), Budget(int(room)))
    assert [lane.status for lane in ended] == ["finished"] * 7
    # Runs of 1, 2, 3, 1, 2, 3, 1 epochs: the first leaves after one; its successor and the second leave together.
    assert at_once == [1, 2, 3, 3, 2, 3, 3]


def test_a_lone_run_s_budget_is_not_measured_so_that_it_is_the_same_each_time(monkeypatch):
    monkeypatch.setattr("ptuning.training.measure.measure", lambda _: Budget(1))
    backbone = make_backbone()
    assert choose_budget("auto", 1, backbone) == Budget(8192, overhead=32)
    assert choose_budget("auto", 2, backbone) == Budget(1)
    assert choose_budget(500, 2, backbone) == Budget(500)
    monkeypatch.setattr(type(backbone), "device", torch.device("cuda"))
    assert choose_budget("auto", 1, backbone) == Budget(8192, overhead=8192), (
        "a short pass costs as much as a long one"
    )


def test_the_budget_is_measured_and_leaves_nothing_behind():
    backbone = make_backbone()
    budget = measure(backbone)
    assert 128 <= budget.tokens <= 2**18
    assert budget.overhead > 0
    assert all(parameter.grad is None for parameter in backbone.parameters())
