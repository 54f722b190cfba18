"""Optimizers, and the rates of what they update."""

import copy
import math

import pytest
import torch

from ptuning.errors import InputError
from ptuning.methods import check
from ptuning.records.identity import run_id
from ptuning.training.budget import Budget
from ptuning.training.loop import step
from ptuning.training.optimizers import AdamWHF
from tests.conftest import make_backbone
from tests.training.test_lanes import lanes_of, trained


def changes(config):
    """The largest change that the first step makes of each tensor, by its name."""
    backbone = make_backbone()
    backbone.train()
    (lane,) = lanes_of([config], backbone)
    modules = {"": lane.adapter, "backbone.": backbone}
    before = {name: copy.deepcopy(module.state_dict()) for name, module in modules.items()}
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    return {
        prefix + name: (value - before[prefix][name]).abs().max().item()
        for prefix, module in modules.items()
        for name, value in module.state_dict().items()
    }


def test_each_group_has_its_own_rate(make_run):
    """Adam's first step is the rate itself, whatever the gradient."""
    moved = changes(make_run(train__lr=1e-2, train__lrs={"head": 1e-4, "backbone": 1e-3}, train__backbone=True))
    for name, change in moved.items():
        rate = 1e-4 if name.startswith("head") else 1e-3 if name.startswith("backbone") else 1e-2
        assert change == pytest.approx(rate, rel=0.02), name


def test_whether_the_backbone_trains_is_the_runs_choice(make_run):
    frozen = changes(make_run("fine_tuning", train__backbone=False))
    assert all((change > 0) == name.startswith("head") for name, change in frozen.items())
    assert run_id(make_run(train__backbone=True)) != run_id(make_run())
    with pytest.raises(InputError, match=r"train\.lrs\.backbone is the rate of nothing: this run trains prompt, head"):
        check(make_run(train__lrs={"backbone": 1e-3}))
    with pytest.raises(InputError, match=r"train\.lrs\.prompt is the rate of nothing: this run trains head, backbone"):
        check(make_run("fine_tuning", train__lrs={"prompt": 1e-3}))


def test_adafactor_takes_the_rate_as_it_is_given(make_run):
    """Updates are clipped to a root mean square of 1, then multiplied by the rate alone, however small the weights."""
    lr = 0.3
    (lane,) = lanes_of([make_run(train__optimizer="adafactor", train__lr=lr, prompt__init={"name": "zero"})],
                       backbone := make_backbone())  # fmt: skip
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    change = lane.adapter.method.folded()["prompt"].square().mean().sqrt()
    assert 0.3 * lr < change <= lr * 1.001


def test_the_eps_of_adamw_hf_is_not_divided_by_the_bias_of_the_second_moment():
    """torch's AdamW does the same with an eps that changes from step to step, and without weight decay."""
    random = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(50)) for _ in range(2))
    found = AdamWHF([{"params": [ours]}], lr=0.1)
    wanted = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.0)
    for number in range(1, 20):
        gradient = 1e-7 * torch.randn(50, generator=random)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        wanted.param_groups[0]["eps"] = 1e-8 / math.sqrt(1 - 0.999**number)
        before = ours.detach().clone()
        found.step()
        wanted.step()
        torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-6)
        assert (ours - before).abs().max() > 1e-3
    plain = torch.nn.Parameter(torch.ones(50))
    plain.grad = gradient.clone()
    torch.optim.AdamW([plain], lr=0.1, weight_decay=0.0).step()
    first = torch.nn.Parameter(torch.ones(50))
    first.grad = gradient.clone()
    AdamWHF([{"params": [first]}], lr=0.1).step()
    assert (1 - first.detach()).abs().mean() < 0.7 * (1 - plain.detach()).abs().mean(), "eps slows small gradients"


def test_the_weights_of_adamw_hf_decay_after_the_step():
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    weight.grad = torch.tensor([5.0])
    AdamWHF([{"params": [weight]}], lr=0.1, weight_decay=0.5).step()
    assert weight.item() == pytest.approx((2 - 0.1) * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_hf", "adafactor"])
def test_every_optimizer_learns(make_run, optimizer):
    config = make_run(train__optimizer=optimizer, train__lr=0.05, train__epochs=8, train__head_dropout=0.0)
    (lane,), _ = trained([config])
    assert lane.history[-1].loss < 0.7 * lane.history[0].loss
