"""Mixtures: how often each set is drawn, one prompt with a head a set, and the source run that others start from."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from ptuning.config import RunConfig
from ptuning.data import mixtures
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import weights
from ptuning.records.identity import run_id, run_name
from ptuning.run import run
from ptuning.sweep.resume import with_sources
from ptuning.sweep.sweep import launch as launch_one
from ptuning.training.budget import Budget
from ptuning.training.lanes import Lane
from ptuning.training.loop import step
from tests.conftest import MLP, OPTIONS, make_backbone
from tests.sweep.test_sweep import swept
from tests.training.test_lanes import lanes_of, trained

SETS = {"a": "wnut17", "b": "btc", "c": "rte"}


def of(config, cap=None, temperature=1.0, sets=SETS):
    """`config` on a mixture of `sets`."""
    values = config.model_dump()
    values["task"] = {
        "name": "mixed", "bundled": "miniature", "cap": cap, "temperature": temperature,
        "tasks": {key: values["task"] | {"name": name} for key, name in sets.items()},
    }  # fmt: skip
    return RunConfig.model_validate(values)


def child_of(config, **train):
    """`config` as a run that starts from another, on a mixture."""
    prompt = config.prompt and config.prompt | {"init": {"name": "prompt", "start": config.prompt["init"]}}
    sources = {"shared": {"task": of(config).task.model_dump(), "train": train}}
    return RunConfig.model_validate(config.model_dump() | {"prompt": prompt, "sources": sources})


def source_of(config):
    (source,) = config.source_runs
    return source.run


# --- shares


def test_a_set_is_drawn_in_proportion_to_its_size_up_to_the_cap():
    assert mixtures.steps_per_task([100, 30], 10, None, 1) == [10, 3]
    assert mixtures.steps_per_task([100, 30], 10, 50, 1) == [5, 3]
    assert mixtures.steps_per_task([101], 10, None, 1) == [11]


def test_temperature_evens_the_shares_out_and_keeps_their_sum():
    sizes = [1000, 100, 10]
    plain, warm, hot = (mixtures.steps_per_task(sizes, 10, None, temperature) for temperature in (1, 2, 1e6))
    assert plain == [100, 10, 1]
    assert warm[0] < plain[0] and warm[2] > plain[2]
    assert hot == [37, 37, 37] and abs(sum(warm) - sum(plain)) <= 1


def test_an_epoch_holds_each_set_s_share_in_an_order_of_its_own():
    order = mixtures.task_order([5, 3], np.random.default_rng(0))
    assert Counter(order.tolist()) == {0: 5, 1: 3}
    assert order.tolist() != sorted(order.tolist())
    assert mixtures.task_order([4], np.random.default_rng(0)).tolist() == [0] * 4


# --- a lane on a mixture


def test_batches_are_of_one_set_at_a_time_and_cover_each_set_once_an_epoch(make_run):
    (lane,) = lanes_of([of(make_run())], make_backbone())
    seen = {member.name: Counter() for member in lane.tasks}
    for part in lane.batches():
        (member,) = (one for one in lane.tasks if one.adapter is part.adapter)
        assert part.examples is member.dataset.train
        seen[member.name].update(part.rows.tolist())
    assert all(set(counts.values()) == {1} for counts in seen.values())
    assert {name: len(counts) for name, counts in seen.items()} == {"a": 12, "b": 12, "c": 12}


def test_a_cap_keeps_no_example_out_for_good(make_run):
    config = of(make_run(data__train_rows=60, train__epochs=40), cap=8)
    (lane,) = lanes_of([config], make_backbone())
    seen = {member.name: set() for member in lane.tasks}
    for _ in range(60):
        parts = list(lane.batches())
        for part in parts:
            (member,) = (one for one in lane.tasks if one.adapter is part.adapter)
            seen[member.name].update(part.rows.tolist())
        assert sum(len(part.rows) for part in parts) == 24
        lane.steps_done += lane.steps_per_epoch
    assert {name: len(rows) for name, rows in seen.items()} == {"a": 60, "b": 60, "c": 60}


def test_the_sets_share_one_prompt_and_have_a_head_each(make_run):
    backbone = make_backbone()
    (lane,) = lanes_of([of(make_run())], backbone)
    assert len({id(member.adapter.method) for member in lane.tasks}) == 1
    assert [member.adapter.head.linear.out_features for member in lane.tasks] == [13, 7, 2]
    before = [copy.deepcopy(member.adapter.state_dict()) for member in lane.tasks]
    part = next(lane.batches())
    step(backbone, [(lane, part)], Budget(4096))
    for member, state in zip(lane.tasks, before, strict=True):
        moved = {key for key, value in member.adapter.state_dict().items() if not torch.equal(value, state[key])}
        expected = {"method.reparameterization.prompt"}
        if member.adapter is part.adapter:
            expected |= {"head.linear.weight", "head.linear.bias"}
        assert moved == expected


def test_a_mixture_packs_and_gives_the_same_beside_other_runs(make_run):
    configs = [
        of(make_run(seed=3, prompt__dropout=0.1)),
        make_run("prompt_tuning", "cb"),
        make_run(task="squad", task__options=OPTIONS["squad"]),
    ]
    lanes, _ = trained(configs)
    for lane, config in zip(lanes, configs, strict=True):
        ((alone,), _) = trained([config])
        losses = [[epoch.loss for epoch in one.history] for one in (lane, alone)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=2e-4)


def test_its_record_holds_each_set_s_scores_and_their_mean(make_run):
    (record,) = run([of(make_run())])
    assert record["metric"] == "mean"
    dev = record["history"][0]["dev"]
    assert dev["mean"] == pytest.approx((dev["a_f1"] + dev["b_f1"] + dev["c_accuracy"]) / 3)
    assert set(record["data"]["sets"]) == set(SETS)
    assert record["data"]["train_examples"] == 36
    assert record["history"][0]["tests"] == {}


def test_what_can_change_a_mixture_s_number_is_in_its_id(make_run):
    one = of(make_run())
    others = [of(make_run(), cap=5), of(make_run(), temperature=2.0), of(make_run(), sets={"a": "wnut17", "b": "btc"})]
    assert len({run_id(config) for config in [one, *others, make_run()]}) == 5


# --- source runs


def test_a_run_starts_from_the_prompt_of_its_source(make_run):
    config = child_of(make_run(task="btc"), epochs=1, lr=3e-2)
    parent = source_of(config)
    assert (parent.train.epochs, parent.train.lr, config.train.epochs) == (1, 3e-2, 2)
    run([parent])
    lanes = lanes_of([config, make_run(task="btc")], make_backbone())
    prompts = [lane.adapter.method.deep_prompt().values for lane in lanes]
    assert not torch.equal(*prompts)
    folded = weights.load_state(weights.path(parent, "last"))["prompt.prompt"]
    assert torch.equal(lanes[0].adapter.method.folded()["prompt"], folded)


def test_a_sweep_trains_the_source_first_and_once_and_the_record_names_it(make_run):
    configs = [child_of(make_run(task=task), epochs=1) for task in ("wnut17", "btc")]
    ended = swept(configs).ended
    parent = source_of(configs[0])
    assert list(ended) == [run_id(one) for one in (parent, *configs)]
    assert all(not event.found and event.record["status"] == "finished" for event in ended.values())
    assert [event.record["parent"] for event in ended.values()] == [None, *[f"{run_name(parent)}.json"] * 2]
    assert all("-from-mixed-" in run_name(config) for config in configs)
    assert [event.found for event in swept(configs).ended.values()] == [True, True]


def test_two_workers_share_a_sweep_with_a_source(make_run, tmp_path):
    configs = [child_of(make_run(task="btc", seed=seed), epochs=1) for seed in (1, 2)]
    elsewhere = {"results": tmp_path / "one", "weights": tmp_path / "one"}
    runtime = configs[0].runtime.model_copy(update=elsewhere)
    shared = swept(configs, ["cpu", "cpu"]).ended
    alone = swept([config.model_copy(update={"runtime": runtime}) for config in configs]).ended
    assert shared.keys() == alone.keys() and len(shared) == 4
    for identifier, event in shared.items():
        losses = [[line["loss"] for line in one.record["history"]] for one in (event, alone[identifier])]
        np.testing.assert_allclose(losses[0], losses[1], rtol=2e-4)


def test_a_run_whose_source_failed_fails_with_it(make_run):
    good = make_run(task="btc")
    broken = child_of(make_run(task="btc", train__lr=1e30), epochs=1)
    ended = swept([broken, good]).ended
    assert ended[run_id(source_of(broken))].record["status"] == "diverged"
    assert "the source shared left no prompt of step=last" in ended[run_id(broken)].reason
    assert ended[run_id(good)].record["status"] == "finished"


def test_a_diverged_source_fails_its_runs_alone_also_when_launched_again(make_run, monkeypatch):
    """In whatever epoch it diverged, and nobody starts from what it was before."""
    broken, good = child_of(make_run(task="btc"), epochs=3), make_run(task="btc", seed=5)
    sound = Lane.step
    of_source = lambda lane: len(lane.tasks) > 1 and lane.epoch == 2  # noqa: E731
    monkeypatch.setattr(Lane, "step", lambda lane: spoil(lane) if of_source(lane) else sound(lane))
    for _ in range(2):
        ended = swept([broken, good]).ended
        parent = ended[run_id(source_of(broken))].record
        assert parent["status"] == "diverged" and len(parent["history"]) == 1
        assert "the source shared left no prompt of step=last" in ended[run_id(broken)].reason
        assert ended[run_id(good)].record["status"] == "finished"


def spoil(lane):
    for parameter in lane.parameters:
        parameter.data.fill_(float("nan"))


def test_a_source_whose_weights_are_gone_is_trained_again_for_those_who_need_it(make_run):
    """As on a fresh clone, where records are and weights are not."""
    first, second = (child_of(make_run(task=task), epochs=1) for task in ("wnut17", "btc"))
    swept([first])
    weights.path(source_of(first), "last").unlink()
    assert with_sources([first]) == [first], "what is done needs no source"
    ended = swept([first, second]).ended.values()
    assert [(event.record["config"]["task"]["name"], event.found) for event in ended] == [
        ("wnut17", True), ("mixed", False), ("btc", False),
    ]  # fmt: skip


def test_a_source_that_is_also_asked_for_by_itself_keeps_its_prompt(make_run):
    child = child_of(make_run(task="btc"))
    alone = source_of(child).model_copy(update={"runtime": child.runtime})
    ended = swept([alone, child]).ended
    assert [event.record["status"] for event in ended.values()] == ["finished", "finished"]


def test_launching_a_run_whose_source_fails_says_what_became_of_that(make_run, monkeypatch):
    def fail(lane):
        raise RuntimeError("the source is broken")

    monkeypatch.setattr(Lane, "step", fail)
    with pytest.raises(RuntimeError, match="the source is broken"):
        launch_one(child_of(make_run(task="btc"), epochs=1))


def test_launching_a_run_with_a_source_gives_its_own_record(make_run):
    config = child_of(make_run(task="btc"), epochs=1)
    assert launch_one(config)["id"] == run_id(config)


def test_a_changed_source_is_another_run_and_a_seedless_key_is_not(make_run):
    base = make_run(task="btc")
    ids = [run_id(one) for one in (base, child_of(base), child_of(base, epochs=1), child_of(base, lr=1.0))]
    assert len(set(ids)) == 4


def test_a_prompt_of_another_run_starts_no_mlp(make_run):
    config = child_of(make_run(task="btc", prompt__reparameterization=MLP))
    with pytest.raises(InputError, match=r"set prompt\.reparameterization=none"):
        run([config])


def test_a_source_of_a_method_without_a_prompt_is_refused(make_run):
    with pytest.raises(InputError, match="method=fine_tuning has no prompt to start from: remove sources"):
        run([child_of(make_run("fine_tuning", task="btc"))])


def test_a_mixture_s_weights_serve_no_task(make_run):
    parent = of(make_run(runtime__save=True))
    run([parent])
    with pytest.raises(InputError, match="is of the mixture mixed: give a run on one task that started from it"):
        weights.load(weights.path(parent), parent, make_backbone())


def test_mpt_2_and_groups_of_one_s_own_compose():
    (multi,) = compose.expand(["task=conll04", "method=mpt_2"])
    assert (multi.method, multi.sources["shared"].task.name) == ("p_tuning_v2", "ner")
    assert list(multi.sources["shared"].task.tasks) == ["conll03", "ontonotes", "conll04"]
    both = compose.expand(["task=conll03,conll04", "method=mpt_2"])
    assert len({run_id(source_of(config)) for config in both}) == 1, "one source serves all sets"
    (own,) = compose.expand(["task=rte", "init=prompt", "+task@sources.a.task=cb", "+sources.a.train.epochs=2"])
    assert (source_of(own).task.name, source_of(own).train.epochs) == ("cb", 2)
    with pytest.raises(InputError, match=r"sources\.a\.train\.epoch is not a key of this config"):
        compose.expand(["task=rte", "init=prompt", "+task@sources.a.task=cb", "+sources.a.train.epoch=2"])
    with pytest.raises(InputError, match=r"task\.temperature=0\.5 is refused"):
        compose.expand(["task=ner", "task.temperature=0.5"])


def test_fine_tuning_on_a_mixture_trains_every_head(make_run):
    (record,) = run([of(make_run("fine_tuning"))])
    assert record["status"] == "finished" and record["parameters"]["share"] == 1
