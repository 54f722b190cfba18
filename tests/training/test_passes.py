"""However a step is cut into passes, the losses and gradients of its lanes are the same, with dropout on; and the cut
is the cheapest."""

from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ptuning.prompts.placement import Layout
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.loop import step
from ptuning.training.passes import Part, plan
from tests.conftest import OPTIONS, make_backbone
from tests.prompts.test_placement import encoded
from tests.training.test_lanes import lanes_of

DROPOUT = {"prompt__dropout": 0.3, "train__head_dropout": 0.3}
POOLER = {"backbone__pooler": "trained"}
SHUFFLED = {"train__batching": "shuffled"}
WHOLE = Budget(10**6, 10**6)


def gradients(configs, budget, monkeypatch):
    """Of a first step of all lanes, how many passes it took, and of each lane the loss and the gradients it leaves."""
    backbone = make_backbone()
    lanes = lanes_of(configs, backbone)
    for lane in lanes:
        monkeypatch.setattr(lane, "step", lambda: None)
    batches = [next(lane.batches()).with_dropout(lane.steps_done) for lane in lanes]
    losses = step(backbone, list(zip(lanes, batches, strict=True)), budget)
    found = [(loss, [one.grad for one in lane.parameters]) for loss, lane in zip(losses, lanes, strict=True)]
    return len(plan(batches, budget)), found


def assert_same(found, expected):
    for (loss, gradient), (whole, wanted) in zip(found, expected, strict=True):
        torch.testing.assert_close(loss, whole, atol=1e-6, rtol=1e-6)
        assert all(one is not None and one.any() for one in wanted)
        for one, other in zip(gradient, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize(("task", "keys"), [("rte", POOLER), ("copa", {}), ("wnut17", {}), ("squad", {})])
def test_any_cut_into_passes_gives_the_same_gradients(make_run, monkeypatch, task, keys, method):
    options = OPTIONS.get(task, {})
    config = make_run(method, task, task__options=options, train__batch_size=7, **SHUFFLED, **DROPOUT, **keys)
    one_pass, expected = gradients([config], WHOLE, monkeypatch)
    assert one_pass == 1
    without = make_run(method, task, task__options=options, train__batch_size=7, **SHUFFLED)
    assert expected[0][0] != gradients([without], WHOLE, monkeypatch)[1][0][0], "dropout is on"
    for tokens, overhead in ((1, 1), (100, 1), (10**6, 0)):
        passes, found = gradients([config], Budget(tokens, overhead), monkeypatch)
        assert 1 < passes <= 7
        assert_same(found, expected)


def test_lanes_that_are_cut_together_keep_their_gradients(make_run, monkeypatch):
    configs = [
        make_run(seed=1, train__batch_size=5, **SHUFFLED, **DROPOUT),
        make_run("prompt_tuning", "wnut17", train__batch_size=2, **SHUFFLED),
        make_run("prompt_tuning", "copa", train__batch_size=6, prompt__length=9, **SHUFFLED, **DROPOUT),
        make_run("p_tuning_v2", "cb", train__batch_size=3, prompt__dropout=0.1),  # bucketed
    ]
    alone = [gradients([config], WHOLE, monkeypatch)[1][0] for config in configs]
    for budget in (WHOLE, Budget(10**6, 30), Budget(150, 1), Budget(1, 1)):
        passes, found = gradients(configs, budget, monkeypatch)
        assert (passes == 1) == (budget is WHOLE)
        assert_same(found, alone)


# --- the cut


def batch(*widths, start=1, divisible=True):
    """A batch of texts of so many tokens, which enters the backbone at layer `start`."""
    adapter = SimpleNamespace(layout=Layout(), entry_layer=start)
    texts = encoded(*[([1] * width, [0] * width, 1) for width in widths])
    return AdapterBatch(adapter, texts, np.arange(len(widths)), divisible=divisible)


def whole(width, rows=1, start=1):
    return batch(*[width] * rows, start=start, divisible=False)


def tokens(batches, one):
    widths = [width for part in one for width in batches[part.batch].widths[part.begin : part.end]]
    return max(widths) * len(widths)


def cost(batches, passes, overhead):
    return sum(overhead + tokens(batches, one) for one in passes)


def rows_of(batches, passes):
    """Every item that goes through the backbone, as (batch, its place there)."""
    return sorted((part.batch, at) for one in passes for part in one for at in range(part.begin, part.end))


@pytest.mark.parametrize("overhead", [1, 20, 10_000])
def test_batches_that_stay_whole_are_put_together_at_the_least_cost(overhead):
    batches = [whole(width, rows=2) for width in (3, 40, 5, 38, 12)]
    passes = plan(batches, Budget(10_000, overhead))
    order = sorted(range(5), key=lambda index: batches[index].width)
    cuts = ((0, *some, 5) for count in range(5) for some in combinations(range(1, 5), count))
    best = min(
        cost(batches, [[Part(i, 0, 2) for i in order[a:b]] for a, b in pairwise(ends)], overhead) for ends in cuts
    )
    assert rows_of(batches, passes) == [(index, at) for index in range(5) for at in range(2)]
    assert cost(batches, passes, overhead) == best


@pytest.mark.parametrize("overhead", [0, 3, 20, 10_000])
def test_items_of_all_divisible_batches_are_cut_by_length_at_the_least_cost(overhead):
    batches = [batch(3, 8, 40), batch(5, 5, 38), batch(12)]
    passes = plan(batches, Budget(10_000, overhead))
    assert rows_of(batches, passes) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    widths = [3, 5, 5, 8, 12, 38, 40]
    best = min(
        sum(overhead + widths[b - 1] * (b - a) for a, b in zip((0, *some), (*some, 7), strict=True))
        for count in range(7)
        for some in combinations(range(1, 7), count)
    )
    assert cost(batches, passes, overhead) == best
    assert all(len({part.batch for part in one}) == len(one) for one in passes), "one part a batch"


def test_a_pass_holds_no_more_than_the_budget_and_one_entry():
    batches = [whole(10, rows=3, start=1 + i % 2) for i in range(8)] + [whole(500), batch(*[10] * 20), batch(200, 300)]
    passes = plan(batches, Budget(65, 10_000))
    assert rows_of(batches, passes) == [(i, at) for i, one in enumerate(batches) for at in range(len(one.rows))]
    for one in passes:
        assert len({batches[part.batch].adapter.entry_layer for part in one}) == 1
        alone = len(one) == 1 and (not batches[one[0].batch].divisible or one[0].end - one[0].begin == 1)
        assert alone or tokens(batches, one) <= 65


def test_batches_of_one_length_are_not_cut():
    batches = [whole(9, rows=4), batch(7, 7, 7, 7), batch(6, 7, 7, 8)]
    assert len(plan(batches, Budget(10_000, 256))) == 1
