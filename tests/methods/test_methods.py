"""Only the prompt changed; folding keeps what was learned; heads and switches do what they say."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from ptuning import methods, registry
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import weights
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.forward import forward
from ptuning.training.loop import step
from ptuning.training.predictions import predict
from tests.conftest import ENCODERS, MLP, NONE, OPTIONS, PROMPTS, SUPERGLUE, make_backbone
from tests.training.test_lanes import lanes_of, train_all


def first(lane):
    """The first dev example, to be answered without dropout."""
    return AdapterBatch(lane.adapter.eval(), lane.tasks[0].dataset.dev, np.array([0]))


def logits_of(backbone, lane):
    with forward(backbone, [first(lane)]) as logits:
        return logits


def texts(lane):
    """Its real tokens and token types, `[1, T]`."""
    end = lane.tasks[0].dataset.dev.starts[1]
    return tuple(
        torch.from_numpy(a[:end]).long()[None]
        for a in (lane.tasks[0].dataset.dev.tokens, lane.tasks[0].dataset.dev.types)
    )


def test_methods_are_found_by_their_file_name():
    assert registry.names("ptuning.methods") == sorted(PROMPTS)
    with pytest.raises(InputError, match="choose one of"):
        methods.load("lora")


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("reparameterization", [NONE, MLP], ids=["none", "mlp"])
@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize("name", ENCODERS)
def test_only_prompt_and_head_change(make_run, name, method, reparameterization, checkpointing):
    """One step moves every weight of prompt and head, and no weight of the backbone."""
    config = make_run(method, prompt__reparameterization=reparameterization)
    backbone = make_backbone(name)
    if checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    backbone.train()
    (lane,) = lanes_of([config], backbone)
    lane.adapter.train()
    before = copy.deepcopy(backbone.state_dict()), copy.deepcopy(lane.adapter.state_dict())
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    assert all(torch.equal(value, before[0][name]) for name, value in backbone.state_dict().items())
    moved = {name: not torch.equal(value, before[1][name]) for name, value in lane.adapter.state_dict().items()}
    assert moved and all(moved.values()), moved


@pytest.mark.parametrize("name", ENCODERS)
def test_every_prompted_layer_moves_and_depth_holds_no_other(make_run, name):
    config = make_run(prompt__layers="3-4")
    backbone = make_backbone(name)
    (lane,) = lanes_of([config], backbone)
    assert lane.adapter.method.deep_prompt().sites == (("encoder", 3), ("encoder", 4))
    before = lane.adapter.method.deep_prompt().values.detach().clone()
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    assert (lane.adapter.method.deep_prompt().values != before).any(dim=-1).all(), "a vector did not move"


@pytest.mark.parametrize("name", ENCODERS)
def test_fine_tuning_moves_the_backbone(make_run, name):
    backbone = make_backbone(name)
    backbone.train()
    (lane,) = lanes_of([make_run("fine_tuning")], backbone)
    before = copy.deepcopy(backbone.state_dict())
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    still = [name for name, value in backbone.state_dict().items() if torch.equal(value, before[name])]
    assert still == []


@pytest.mark.parametrize("task", ["rte", "copa"])
@pytest.mark.parametrize("method", ["fine_tuning", "prompt_tuning", "p_tuning_v2"])
def test_saved_weights_are_folded_and_predict_the_same(make_run, tmp_path, method, task):
    overrides = {} if method == "fine_tuning" else {"prompt__reparameterization": MLP}
    config = make_run(method, task, **overrides)
    backbone = make_backbone()
    (lane,) = lanes_of([config], backbone)
    train_all(backbone, [lane])
    (expected,) = predict(backbone, [lane.tasks[0].batch("dev")], Budget(100))

    state = weights.trained_state(lane.tasks, backbone)
    if method != "fine_tuning":
        assert [name for name in state if name.startswith("prompt.")] == ["prompt.prompt"]
    file = weights.write(tmp_path / "run.safetensors", config, state, backbone.content)
    fresh = make_backbone()
    loaded = weights.load(file, config, fresh)
    (got,) = predict(fresh, [dataclasses.replace(lane.tasks[0].batch("dev"), adapter=loaded)], Budget(4096))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_weights_of_another_backbone_are_refused(make_run, tmp_path):
    config = make_run()
    backbone = make_backbone()
    (lane,) = lanes_of([config], backbone)
    state = weights.trained_state(lane.tasks, backbone)
    file = weights.write(tmp_path / "run.safetensors", config, state, backbone.content)
    refused = (
        r"run.safetensors was trained on another backbone .*weights differ: [0-9a-f]{16} there and [0-9a-f]{16} here"
    )
    with pytest.raises(InputError, match=refused):
        weights.load(file, config, make_backbone("tiny_roberta"))
    known = {"config": backbone.content["config"]}
    older = weights.write(tmp_path / "older.safetensors", config, state, known)
    with pytest.raises(InputError, match=r"configs differ: .*model_type bert there and roberta here"):
        weights.load(older, config, make_backbone("tiny_roberta"))
    oldest = weights.write(tmp_path / "oldest.safetensors", config, state, {})
    weights.load(oldest, config, make_backbone())
    with pytest.raises(InputError, match=r"was trained on backbone\.name=tiny_bert, not on other: load that one"):
        weights.load(oldest, make_run(backbone__name="other"), make_backbone())
    with pytest.raises(InputError, match="does not exist"):
        weights.load(tmp_path / "none.safetensors", config, make_backbone())


@pytest.mark.parametrize("name", ENCODERS)
def test_input_prompt_equals_a_prompt_built_by_hand(make_run, name):
    """Word embeddings with the prompt before them, embedded once; [CLS] read behind the prompt."""
    config = make_run("prompt_tuning", backbone__id=name, backbone__name=name)
    backbone = make_backbone(name)
    (lane,) = lanes_of([config], backbone)
    (logits,) = logits_of(backbone, lane)
    ids, types = texts(lane)
    words = backbone.model.embeddings.word_embeddings(ids)
    prompt = lane.adapter.method.reparameterization.prompt[None]
    hidden = backbone.model(
        inputs_embeds=torch.cat([prompt, words], 1),
        token_type_ids=torch.cat([torch.zeros(1, 3, dtype=torch.long), types], 1),
        attention_mask=torch.ones(1, 3 + ids.shape[1]),
    ).last_hidden_state
    torch.testing.assert_close(logits, lane.adapter.head.linear(hidden[:, 3]), atol=1e-6, rtol=1e-5)


def test_double_embedding_is_the_released_codes_input(make_run):
    """The embedding module's whole output, prompts before it, through the embedding module again."""
    backbone = make_backbone()
    (lane,) = lanes_of([make_run("prompt_tuning", prompt__double_embedding=True)], backbone)
    (plain,) = lanes_of([make_run("prompt_tuning")], backbone)
    (logits,) = logits_of(backbone, lane)
    ids, types = texts(lane)
    raw = backbone.model.embeddings(input_ids=ids, token_type_ids=types)
    embeds = torch.cat([lane.adapter.method.reparameterization.prompt[None], raw], 1)
    hidden = backbone.model(inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2])).last_hidden_state
    torch.testing.assert_close(logits, lane.adapter.head.linear(hidden[:, 3]), atol=1e-6, rtol=1e-5)
    assert (logits - logits_of(backbone, plain)[0]).abs().max() > 1e-4


@pytest.mark.parametrize("name", ENCODERS)
def test_double_embedding_suits_every_family(make_run, name):
    backbone = make_backbone(name)
    torch.nn.init.normal_(backbone.model.embeddings.LayerNorm.bias)  # in a new model, a second LayerNorm is nothing
    double, plain = (lanes_of([make_run("prompt_tuning", prompt__double_embedding=on)], backbone)[0] for on in (1, 0))
    (twice,), (once,) = (logits_of(backbone, lane) for lane in (double, plain))
    assert torch.isfinite(twice).all()
    assert (twice - once).abs().max() > 1e-4


def test_double_embedding_is_refused_where_the_embedding_module_widens(make_run):
    backbone = make_backbone("tiny_deberta", embedding_size=16)
    lanes_of([make_run("prompt_tuning")], backbone)
    with pytest.raises(InputError, match="takes 16 numbers a token and gives 32"):
        lanes_of([make_run("prompt_tuning", prompt__double_embedding=True)], backbone)


@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("task", [*SUPERGLUE, "wnut17", "ewt", "squad", "squad_v2"])
@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning_v2"])
def test_both_placements_train_on_every_task(make_run, method, task, placement):
    backbone = make_backbone()
    rows = {"data__train_rows": 4, "data__dev_rows": 4, "task__options": OPTIONS.get(task, {})}
    config = make_run(method, task, prompt__placement=placement, **rows)
    (lane,) = lanes_of([config], backbone)
    before = copy.deepcopy(lane.adapter.state_dict())
    (loss,) = step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    assert torch.isfinite(loss)
    assert all(not torch.equal(value, before[name]) for name, value in lane.adapter.state_dict().items())
    member = lane.tasks[0]
    (answers,) = predict(backbone, [member.batch("dev")], Budget(4096))
    dev = member.dataset.data.dev
    scores = member.dataset.task.score(dev, member.adapter.collect(dev, member.dataset.dev, answers))
    assert member.dataset.task.metric in scores and all(0 <= score <= 100 for score in scores.values())


def test_an_unknown_prompt_key_is_refused(make_run):
    config = make_run("prompt_tuning", prompt__layers="all")
    backbone = make_backbone()
    with pytest.raises(InputError, match=r"prompt.layers is not a key .* allowed here are .*double_embedding"):
        Adapter(Run.parse(config), "rte", backbone)


@pytest.mark.parametrize("name", ["tiny_distilbert", "tiny_modernbert", "tiny_llama"])
def test_double_embedding_is_refused_where_the_embedding_module_takes_other_things(make_run, name):
    with pytest.raises(InputError, match=r"prompt.double_embedding=true is refused: .* set prompt.double_embedding"):
        lanes_of([make_run("prompt_tuning", prompt__double_embedding=True)], make_backbone(name))
