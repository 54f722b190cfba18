"""However a lane's batch is cut into passes, its gradients are the same, with dropout on."""

import pytest
import torch

from ptuning.training.loop import step
from tests.conftest import OPTIONS, make_backbone
from tests.training.test_lanes import lanes_of

DROPOUT = {"prompt__dropout": 0.3, "train__head_dropout": 0.3}
POOLER = {"backbone__pooler": "trained"}


def gradients(config, passes, monkeypatch):
    """The loss of a first step in so many passes, and the gradients it leaves."""
    backbone = make_backbone()
    (lane,) = lanes_of([config], backbone)
    monkeypatch.setattr(lane, "step", lambda: None)
    (loss,) = step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], passes)
    return loss, [parameter.grad for parameter in lane.parameters]


@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize(("task", "keys"), [("rte", POOLER), ("copa", {}), ("wnut17", {}), ("squad", {})])
def test_any_cut_into_passes_gives_the_same_gradients(make_run, monkeypatch, task, keys, method):
    config = make_run(method, task, task__options=OPTIONS.get(task, {}), train__batch_size=7, **DROPOUT, **keys)
    loss, expected = gradients(config, 1, monkeypatch)
    without = gradients(make_run(method, task, task__options=config.task.options, train__batch_size=7), 1, monkeypatch)
    assert loss != without[0], "dropout is on"
    assert all(gradient is not None and gradient.any() for gradient in expected)
    for passes in (2, 3, 9):
        got, found = gradients(config, passes, monkeypatch)
        torch.testing.assert_close(got, loss, atol=1e-6, rtol=1e-6)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_lanes_are_cut_side_by_side_and_a_short_batch_has_fewer_passes(make_run, monkeypatch):
    configs = [
        make_run(seed=1, train__batch_size=5, **DROPOUT),
        make_run("prompt_tuning", "wnut17", train__batch_size=2),
    ]
    alone = [gradients(config, 1, monkeypatch) for config in configs]
    backbone = make_backbone()
    lanes = lanes_of(configs, backbone)
    for lane in lanes:
        monkeypatch.setattr(lane, "step", lambda: None)
    losses = step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done)) for lane in lanes], passes=3)
    for lane, loss, (expected, gradient) in zip(lanes, losses, alone, strict=True):
        torch.testing.assert_close(loss, expected, atol=1e-6, rtol=1e-6)
        for parameter, one in zip(lane.parameters, gradient, strict=True):
            torch.testing.assert_close(parameter.grad, one, atol=1e-6, rtol=1e-5)
