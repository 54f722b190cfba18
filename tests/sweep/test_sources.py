"""Runs that start from the prompts of others: chains, several sources, steps, and what of them makes another run."""

import pytest
import torch

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.records import configs, store, weights
from ptuning.records.identity import identity, run_id, run_name
from ptuning.run import prepare_backbone, run
from ptuning.sweep.resume import done, with_sources
from ptuning.training.budget import Budget
from ptuning.training.evaluate import evaluate
from tests.conftest import MLP, make_backbone
from tests.sweep.test_sweep import swept
from tests.training.test_lanes import lanes_of

ONE_EPOCH = {"train": {"epochs": 1}}


def start(config, **sources):
    """`config` starting from `sources`."""
    prompt = config.prompt | {"init": {"name": "prompt", "start": config.prompt["init"]}}
    return RunConfig.model_validate(config.model_dump() | {"prompt": prompt, "sources": sources})


def source(config, name="a"):
    return next(one.run for one in config.source_runs if one.name == name)


def prompt_of(config, step="last"):
    return weights.load_state(weights.path(config, step))["prompt.prompt"]


def test_a_chain_is_trained_from_its_beginning_and_each_run_once(make_run):
    first = {"seed": 5, **ONE_EPOCH}
    second = {"seed": 6, "sources": {"a": first}, **ONE_EPOCH}
    third = start(make_run(), a=second)
    middle = source(third)
    other = start(make_run(seed=2), a=first)
    ended = swept([third, other]).ended
    assert list(ended) == [run_id(one) for one in (source(middle), middle, other, third)], "as they end"
    assert source(middle).prompt["init"] == third.prompt["init"]["start"] == source(other).prompt["init"]
    assert run_id(source(middle)) == run_id(source(other))
    assert all(event.record["status"] == "finished" and not event.found for event in ended.values())
    assert [event.found for event in swept([third, other]).ended.values()] == [True, True]
    assert ended[run_id(third)].record["sources"][0]["id"] == run_id(middle)


def test_several_sources_are_averaged_by_their_weights_at_their_steps(make_run):
    config = start(
        make_run(train__epochs=1),
        a={"seed": 5, "step": 2, "weight": 3}, b={"seed": 6, "step": "best"}, c={"seed": 5, "weight": 4},
    )  # fmt: skip
    assert len(swept([config]).ended) == 3, "one run is the source twice, at two of its steps"
    (lane,) = lanes_of([config], make_backbone())
    steps = {"a": (2, 3 / 8), "b": ("best", 1 / 8), "c": ("last", 4 / 8)}
    expected = sum(share * prompt_of(source(config, name), step) for name, (step, share) in steps.items())
    torch.testing.assert_close(lane.adapter.method.folded()["prompt"], expected)
    assert "-from-3-sources-" in run_name(config)


def test_a_source_may_have_an_mlp_of_which_only_the_prompt_is_taken(make_run):
    config = start(make_run(), a={"prompt": {"reparameterization": MLP}, **ONE_EPOCH})
    run([source(config)])
    (lane,) = lanes_of([config], make_backbone())
    assert torch.equal(lane.adapter.method.folded()["prompt"], prompt_of(source(config)))


def test_a_source_may_be_a_finished_run_by_its_id(make_run):
    finished = make_run(seed=5, runtime__keep_steps=[2])
    run([finished])
    config = start(make_run(), a={"id": run_id(finished), "step": 2})
    assert with_sources([config]) == [config]
    (lane,) = lanes_of([config], make_backbone())
    assert torch.equal(lane.adapter.method.folded()["prompt"], prompt_of(finished, 2))
    with pytest.raises(InputError, match=r"train that run with runtime.keep_steps=\[3\]"):
        lanes_of([start(make_run(), a={"id": run_id(finished), "step": 3})], make_backbone())


def test_a_prompt_of_another_backbone_is_refused(make_run):
    """Of two of the same shape, where nothing else would tell."""
    finished = make_run(seed=5, runtime__keep_steps=["last"])
    run([finished])
    other = {"backbone__name": "tiny_roberta", "backbone__id": "tiny_roberta"}
    config = start(make_run(**other), a={"id": run_id(finished)})
    with pytest.raises(
        InputError,
        match=r"-step-last.safetensors was trained on another backbone .backbone.name=tiny_bert.*weights differ",
    ):
        run([config])


def test_a_step_that_a_run_stopped_before_is_not_waited_for(make_run):
    """Patience ends it sooner: it is not trained again and again, and who starts from that step is told."""
    patient = make_run(seed=5, train__epochs=8, train__lr=1e-9, train__patience=1, runtime__keep_steps=[2, 20])
    (record,) = run([patient])
    stopped = record["history"][-1]["step"]
    assert stopped < 20
    assert done(patient)
    weights.path(patient, 2).unlink()
    assert not done(patient), "that step it has taken"
    stopping = {"seed": 5, "step": 20, "train": {"epochs": 8, "lr": 1e-9, "patience": 1}}
    refused = f"sources.a.step=20 was never taken: that run stopped at step {stopped}; set an earlier one"
    for sources in ({"a": stopping}, {"a": {"id": run_id(patient), "step": 20}}):
        with pytest.raises(InputError, match=refused):
            lanes_of([start(make_run(), **sources)], make_backbone())


def test_a_run_is_another_by_its_sources_their_steps_and_shares_alone(make_run):
    base = make_run()
    two = {"a": {"seed": 5}, "b": {"seed": 6}}
    ids = [
        run_id(start(base, **sources))
        for sources in (
            {"a": {"seed": 5}}, {"a": {"seed": 6}}, {"a": {"seed": 5, "step": "best"}}, {"a": {"seed": 5, "step": 3}},
            two, two | {"b": {"seed": 6, "weight": 2}}, two | {"b": {"seed": 6, "step": "best"}},
        )
    ]  # fmt: skip
    assert len({run_id(base), *ids}) == len(ids) + 1
    doubled = {name: one | {"weight": 2} for name, one in two.items()}
    renamed = {"x": two["a"], "y": two["b"]}
    assert run_id(start(base, **doubled)) == run_id(start(base, **renamed)) == run_id(start(base, **two))
    swapped = {"a": two["b"], "b": two["a"]}
    assert run_id(start(base, **swapped)) == run_id(start(base, **two)), "a mean has no order"


def test_one_source_after_its_last_step_keeps_the_key_and_the_name_of_old(make_run):
    config = start(make_run(), any_name={"task": make_run(task="cb").task.model_dump()})
    assert identity(config)["parent"] == identity(source(config, "any_name"))
    assert "sources" not in identity(config)
    assert "-p_tuning_v2-from-cb-seed1-" in run_name(config)


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ({"a": {"train": {"epoch": 1}}}, r"sources\.a\.train\.epoch is not a key of this config"),
        ({"a": {"data": {"rows": 1}}}, r"sources\.a\.data\.rows is not a key of this config"),
        ({"a": {"prompt": {"layer": 1}}}, r"prompt\.layer is not a key of this config"),
        ({"a": {"sources": {"b": {"train": {"epoch": 1}}}}}, r"sources\.b\.train\.epoch is not a key of this config"),
    ],
)
def test_a_wrong_key_of_a_source_is_refused_before_anything_is_read(make_run, sources, why):
    with pytest.raises(InputError, match=why):
        Run.parse(start(make_run(), **sources))


def test_a_source_is_a_run_or_an_id_and_a_cycle_is_refused():
    plain = ["task=rte", "init=prompt"]
    with pytest.raises(InputError, match="a source with an id is that run"):
        compose.read(compose.composed([*plain, "+sources.a.id=0123456789", "+sources.a.seed=3"]))
    with pytest.raises(InputError, match="remove id, or all but id, step and weight"):
        compose.read(compose.composed([*plain, "+sources.a.id=0123456789", "+sources.a.head=classification"]))
    with pytest.raises(InputError, match="Interpolation to parent node"):
        compose.read(compose.composed([*plain, "+sources.a={seed:3,sources:${sources}}"]))
    with pytest.raises(InputError, match=r"prompt\.init\.name=normal uses no sources: set init=prompt"):
        compose.read(compose.composed(["task=rte", "+sources.a.seed=3"]))


def test_an_id_that_reads_as_a_number_is_refused_with_the_way_to_write_it():
    plain = ["task=rte", "init=prompt"]
    for number, quoted in (("1123456789", "1123456789"), ("12e3456789", "<id>")):
        with pytest.raises(InputError, match=rf"""sources\.a\.id=.*read as a number: .*id="{quoted}"'"""):
            compose.read(compose.composed([*plain, f"+sources.a.id={number}"]))
        config = compose.read(compose.composed([*plain, f'+sources.a.id="{number}"']))
        assert config.source_runs[0].run == number


def test_a_stored_config_with_a_source_s_id_is_read_again(make_run):
    config = start(make_run(), a={"id": "0123456789", "step": 2})
    assert run_id(configs.parse_run(store.dump(config), config.runtime)) == run_id(config)


def test_a_source_on_another_task_has_that_task_s_own_head():
    overrides = ["task=rte", "init=prompt", "backbone=tiny_bert", "+task@sources.a.task=conll03"]
    auto, own = (compose.read(compose.composed([*overrides, f"head={name}"])) for name in ("auto", "classification"))
    assert source(own).head.name == "auto"
    assert run_id(own) == run_id(auto)
    said = compose.read(compose.composed([*overrides, "+sources.a.head=token"]))
    assert source(said).head.name == "token"
    same = compose.read(compose.composed(["task=copa", "head=choice", "init=prompt", "+sources.a.seed=3"]))
    assert source(same).head.name == "choice"


def test_bundled_data_of_a_source_are_those_of_its_own_task():
    def of(target, task, *others):
        overrides = [f"task={target}", "init=prompt", f"+task@sources.a.task={task}", *others]
        return source(compose.read(compose.composed(overrides))).data.source

    assert (of("boolq", "rte"), of("rte", "boolq"), of("rte", "cb")) == ("miniature", "package", "miniature")
    assert of("rte", "boolq", "data=hub") == "hub"
    assert of("rte", "boolq", "+sources.a.data.source=miniature") == "miniature"


def test_with_words_for_labels_a_run_starts_at_its_sources_own_score(make_run):
    """Nothing but the prompt is trained there, so that the source's score is where its prompt is taken up."""
    head = {
        "name": "verbalizer",
        "template": "{premise} ? {hypothesis} <mask>",
        "words": {},
        "loss": "labels",
        "z_loss": 0,
    }
    head["words"] = {"entailment": "yes", "not_entailment": "no"}
    config = start(make_run("prompt_tuning", head=head), a={"seed": 5})
    (record,) = run([source(config)])
    backbone = prepare_backbone(Run.parse(config))
    (lane,) = lanes_of([config], backbone)
    (found,) = evaluate(backbone, [lane], Budget(4096))
    assert found.dev.scores == record["history"][-1]["dev"]
    assert found.dev.correct == record["history"][-1]["right"]
