"""P-Tuning in the paper's two settings, frozen and tuned, and what is kept of it."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from ptuning.launch import compose
from ptuning.records import weights
from ptuning.training.budget import Budget
from ptuning.training.predictions import predict
from tests.conftest import LSTM, make_backbone
from tests.training.test_lanes import lanes_of, train_all

TUNED = {"train__backbone": True, "train__lrs": {"prompt": 1e-2, "backbone": 1e-3}}


@pytest.mark.parametrize("tuned", [True, False], ids=["tuned", "frozen"])
def test_the_backbone_is_frozen_or_trains_at_a_rate_of_its_own(make_run, tmp_path, tuned):
    config = make_run("p_tuning", **(TUNED if tuned else {}))
    backbone = make_backbone()
    (lane,) = lanes_of([config], backbone)
    rates = {group["name"]: group["lr"] for group in lane.optimizer.param_groups}
    assert rates == {"prompt": 1e-2, "head": 1e-2} | ({"backbone": 1e-3} if tuned else {})
    before = copy.deepcopy(backbone.state_dict())
    train_all(backbone, [lane])
    assert tuned == any(not torch.equal(value, before[name]) for name, value in backbone.state_dict().items())

    state = weights.trained_state(lane.tasks, backbone)
    assert [name for name in state if name.startswith("prompt.")] == ["prompt.prompt"]
    assert tuned == any(name.startswith("backbone.") for name in state)
    (expected,) = predict(backbone, [lane.tasks[0].batch("dev")], Budget(4096))
    fresh = make_backbone()
    file = weights.write(tmp_path / "run.safetensors", config, state, fresh.content)
    loaded = weights.load(file, config, fresh)
    (got,) = predict(fresh, [dataclasses.replace(lane.tasks[0].batch("dev"), adapter=loaded)], Budget(4096))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_papers_settings_are_overrides():
    plain = compose.read(compose.composed(["method=p_tuning"]))
    assert plain.prompt["reparameterization"] == LSTM and plain.train.backbone is False and plain.train.lr == 1e-4
    tuned = compose.read(compose.composed(["method=p_tuning", "train.backbone=true", "+train.lrs.backbone=1e-5"]))
    assert tuned.train.backbone and tuned.train.lrs == {"backbone": 1e-5}
    overrides = [f"prompt.reparameterization.{one}" for one in ("hidden=null", "activation=relu")]
    mlp = compose.read(compose.composed(["method=p_tuning", "reparameterization=mlp", *overrides]))
    assert mlp.prompt["reparameterization"] | {"hidden": None, "layers": 2} == mlp.prompt["reparameterization"]
    assert mlp.prompt["init"] == {"name": "torch_default"}
