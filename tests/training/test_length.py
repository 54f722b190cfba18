"""How long a run trains, when it is evaluated, and which of its prompts it keeps."""

import pytest
import torch

from ptuning.config import RunConfig, TrainConfig, parse
from ptuning.errors import InputError
from ptuning.records import store, weights
from ptuning.run import run
from ptuning.training.evaluate import Evaluation, SplitScores
from tests.training.test_lanes import trained


def test_steps_and_epochs_are_one_run_where_they_are_equally_long(make_run):
    """12 examples in batches of 4: 3 steps an epoch."""
    (epochs, steps), _ = trained([make_run(train__epochs=2), make_run(train__epochs=None, train__steps=6)])
    assert (epochs.steps, steps.steps) == (6, 6)
    told = [[(e.epoch, e.step, e.loss, e.dev) for e in lane.history] for lane in (epochs, steps)]
    assert told[0] == told[1] and [line[:2] for line in told[0]] == [(1, 3), (2, 6)]
    for one, other in zip(epochs.parameters, steps.parameters, strict=True):
        assert torch.equal(one, other)


def test_evaluations_come_every_so_many_steps_and_after_the_last_and_change_nothing(make_run):
    often, plain = make_run(train__eval_every=4), make_run()
    (often, plain), _ = trained([often, plain])
    assert [(e.epoch, e.step) for e in often.history] == [(pytest.approx(4 / 3), 4), (2, 6)]
    losses = [e.loss for e in plain.history]
    assert often.history[0].loss * 4 + often.history[1].loss * 2 == pytest.approx(3 * sum(losses), rel=1e-5)
    for one, other in zip(often.parameters, plain.parameters, strict=True):
        assert torch.equal(one, other)
    assert often.items_done == plain.items_done == 24


def test_a_run_may_end_within_an_epoch(make_run):
    config = make_run(train__epochs=None, train__steps=4)
    (record,) = run([config])
    assert [(line["epoch"], line["step"]) for line in record["history"]] == [(1, 3), (pytest.approx(4 / 3), 4)]
    assert record["status"] == "finished" and store.find(config)["selection"] == record["selection"]


@pytest.mark.parametrize(("epochs", "steps"), [(None, None), (2, 6)])
def test_exactly_one_of_epochs_and_steps_is_set(make_run, epochs, steps):
    values = make_run().train.model_dump() | {"epochs": epochs, "steps": steps}
    with pytest.raises(InputError, match=r"set of train\.epochs and train\.steps: set one, and the other to null"):
        parse(TrainConfig, values, "train")


def test_patience_counts_evaluations(make_run, monkeypatch):
    scores = iter([50.0, 60.0, 55.0, 55.0, 99.0])
    monkeypatch.setattr(
        "ptuning.training.loop.evaluate", lambda *_: [Evaluation(SplitScores({"accuracy": next(scores)}, ""), {}, {})]
    )
    (lane,), _ = trained([make_run(train__epochs=5, train__eval_every=1, train__patience=2)])
    assert lane.status == "stopped_early" and lane.steps_done == 4


def prompt_of(config: RunConfig, step: int | str) -> torch.Tensor:
    return weights.load_state(weights.path(config, step))["prompt.prompt"]


def test_prompts_are_kept_as_they_were(make_run, monkeypatch):
    """What a longer run has after two steps is what a run of two steps ends with, where the rate stays."""
    keys = {"train__schedule": "constant", "train__eval_every": 1}
    long = make_run(**keys, runtime__keep_steps=[2, "best", "last"])
    short = make_run(**keys | {"train__epochs": None, "train__steps": 2}, runtime__keep_steps=["last"])
    first, _ = run([long, short])
    best = next(i for i, line in enumerate(first["history"], 1) if line["epoch"] == first["selection"]["epoch"])
    assert torch.equal(prompt_of(long, 2), prompt_of(short, "last"))
    assert not torch.equal(prompt_of(long, 2), prompt_of(long, "last"))
    again = make_run(**keys, runtime__keep_steps=[best])
    run([again])
    assert torch.equal(prompt_of(long, best), prompt_of(long, "best"))


def test_a_step_that_the_run_does_not_take_is_refused(make_run):
    with pytest.raises(InputError, match=r"runtime.keep_steps=7 is after the last of the run's 6 steps"):
        run([make_run(runtime__keep_steps=[7])])


def test_no_steps_evaluate_a_run_as_it_starts_beside_others_that_train(make_run):
    words = {"name": "verbalizer", "template": "{hypothesis} ? <mask> , {premise}", "loss": "labels", "z_loss": 0.0}
    words |= {"words": {"entailment": "k", "not_entailment": "q"}}
    at_start = {"train__epochs": None, "train__steps": 0, "head": words}
    zero, prompted = make_run("zero_shot", **at_start), make_run("prompt_tuning", **at_start)
    (zero, prompted, other), ended = trained([zero, prompted, make_run()])
    for lane in (zero, prompted):
        assert lane.status == "finished" and ended.index(lane) < ended.index(other)
        assert [(line.epoch, line.step, line.loss) for line in lane.history] == [(0, 0, None)]
    (alone,), _ = trained([make_run()])
    assert [(line.loss, line.dev) for line in other.history] == [(line.loss, line.dev) for line in alone.history]


def test_no_steps_with_a_head_that_would_be_random_are_refused(make_run):
    with pytest.raises(
        InputError, match=r"train\.steps=0 evaluates a run as it starts, and its head starts with random"
    ):
        run([make_run(train__epochs=None, train__steps=0)])
