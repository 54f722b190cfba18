"""Runs from beginning to end on tiny backbones: what is switched on works, and what cannot matter does not."""

import io
import json

import pytest
import torch

from ptuning.backbones import load, tiny
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.run import run
from ptuning.training.adapter import Adapter
from tests.conftest import ENCODERS, make_backbone


def losses(record):
    return [epoch["loss"] for epoch in record["history"]]


def test_a_run_gives_the_same_numbers_twice(make_run, tmp_path):
    first, second = (run([make_run(runtime__results=tmp_path / name, prompt__dropout=0.1)])[0] for name in "ab")
    assert losses(first) == losses(second)
    assert first["score"] == second["score"]


@pytest.mark.parametrize("method", ["fine_tuning", "prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_close_to_single(make_run, method, precision):
    (single,) = run([make_run(method)])
    (half,) = run([make_run(method, train__precision=precision)])
    assert half["status"] == "finished"
    assert losses(half) == pytest.approx(losses(single), abs=0.05)
    assert losses(half) != losses(single)


@pytest.mark.parametrize("method", ["fine_tuning", "p_tuning_v2"])
def test_half_precision_never_rounds_what_trains(make_run, monkeypatch, method):
    """Frozen weights are held in bf16; fine-tuning starts from, and keeps, float32 weights."""
    seen = []
    monkeypatch.setattr(
        "ptuning.run.train", lambda backbone, next_lane, *_: seen.append((backbone, next_lane())) or []
    )
    config = make_run(method, train__precision="bf16")
    with pytest.raises(KeyError):  # nothing was trained, so there is no record
        run([config])
    ((backbone, lane),) = seen
    exact = load.load(config.backbone, config.train)
    assert all(parameter.dtype == torch.float32 for parameter in lane.parameters)
    if method == "fine_tuning":
        assert all(torch.equal(a, b) for a, b in zip(backbone.parameters(), exact.parameters(), strict=True))
    else:
        assert backbone.dtype == torch.bfloat16


@pytest.mark.parametrize("overrides", [{"runtime__attention": "eager"}, {"runtime__gradient_checkpointing": True}])
@pytest.mark.parametrize("method", ["fine_tuning", "prompt_tuning", "p_tuning_v2"])
def test_how_it_is_computed_does_not_change_the_number(make_run, tmp_path, method, overrides):
    (plain,) = run([make_run(method)])
    (other,) = run([make_run(method, runtime__results=tmp_path / "other", **overrides)])
    assert losses(other) == pytest.approx(losses(plain), rel=1e-4)


@pytest.mark.parametrize("method", ["fine_tuning", "p_tuning_v2"])
def test_backbone_dropout_is_off_unless_asked_for(make_run, method):
    calm = run([make_run(method, train__head_dropout=0.0)])[0]
    noisy = run([make_run(method, train__head_dropout=0.0, train__backbone_dropout=0.3)])[0]
    assert losses(calm) != pytest.approx(losses(noisy), rel=1e-3)


@pytest.mark.parametrize("pooler", ["none", "trained", "random"])
@pytest.mark.parametrize("name", ENCODERS)
def test_poolers(make_run, name, pooler):
    (record,) = run([make_run(backbone__id=name, backbone__name=name, backbone__pooler=pooler)])
    head = 32 * 2 + 2 + (32 * 32 + 32 if pooler == "trained" else 0)
    assert record["parameters"]["trained"] == 3 * 4 * 2 * 32 + head


def test_a_random_pooler_is_frozen_and_each_seed_draws_its_own(make_run):
    shapes = []
    for seed in (1, 1, 2):
        config = make_run(seed=seed, backbone__pooler="random")
        adapter = Adapter(Run.parse(config), "rte", load.load(config.backbone, config.train))
        assert not any(parameter.requires_grad for parameter in adapter.head.pooler.parameters())
        shapes.append(adapter.head.pooler.dense.weight)
    assert torch.equal(shapes[0], shapes[1])
    assert not torch.equal(shapes[0], shapes[2])


def test_an_epoch_says_which_dev_examples_are_answered_rightly(make_run):
    (record,) = run([make_run(data__dev_rows=10)])
    for epoch in record["history"]:
        assert len(epoch["right"]) == record["data"]["dev_examples"]
        assert 100 * epoch["right"].count("1") / len(epoch["right"]) == pytest.approx(epoch["dev"]["accuracy"])
    (ungraded,) = run([make_run(task="wnut17", task__max_length=64)])
    assert {epoch["right"] for epoch in ungraded["history"]} == {""}


def test_a_frozen_pooler_that_is_not_there_is_refused(make_run):
    config = make_run(backbone__pooler="frozen")
    with pytest.raises(InputError, match="has no pooler weights"):
        run([config])
    assert not store.path(config).exists()


def test_a_checkpoint_folder_keeps_its_pooler_frozen(make_run, tmp_path):
    """Hub ids and local folders load alike; the checkpoint's own pooler is used and does not train."""
    pass

    model, tokenizer = tiny.build("tiny_bert", attention="sdpa")
    model.save_pretrained(tmp_path / "mine")
    tokenizer.save_pretrained(tmp_path / "mine")
    source = {"backbone__source": "hub", "backbone__id": str(tmp_path / "mine"), "backbone__name": "mine"}
    backbone = load.load(BackboneConfig(name="mine", source="hub", id=source["backbone__id"], pooler="frozen"),
                              make_run().train)  # fmt: skip
    assert torch.equal(backbone.pooler["dense.weight"], model.pooler.dense.weight)
    (record,) = run([make_run(**source, backbone__pooler="frozen")])
    assert record["parameters"]["trained"] == 3 * 4 * 2 * 32 + 32 * 2 + 2
    (tuned,) = run([make_run("fine_tuning", **source, backbone__pooler="frozen")])
    assert tuned["parameters"]["share"] == 1


def test_a_model_that_needs_code_of_its_own_is_refused_and_the_code_never_runs(make_run, tmp_path, monkeypatch):
    """Not even where a "yes" waits on stdin, which is where transformers asks if it is not told."""

    folder, marker = tmp_path / "mine", tmp_path / "ran"
    for part in tiny.build("tiny_bert", attention="sdpa"):
        part.save_pretrained(folder)
    (folder / "brought.py").write_text(f"open({str(marker)!r}, 'w').close()")
    named = {"AutoConfig": "brought.Config", "AutoModel": "brought.Model", "AutoTokenizer": "brought.Tokenizer"}
    settings = json.loads((folder / "config.json").read_text()) | {"model_type": "brought", "auto_map": named}
    (folder / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n" * 9))
    config = BackboneConfig(name="mine", source="hub", id=str(folder), pooler="none")
    with pytest.raises(InputError, match=r"backbone.id=.*brings code of its own, which is never run"):
        load.load(config, make_run().train)
    assert not marker.exists()


def test_a_hub_backbone_that_cannot_be_had_is_one_sentence(make_run):
    config = make_run(backbone__source="hub", backbone__id="nobody/nothing-at-all")
    with pytest.raises(InputError, match=r"backbone.id=nobody/nothing-at-all: .*backbone=minilm_l6"):
        run([config])


def test_a_checkpoint_that_lacks_weights_is_refused(make_run, tmp_path):
    from safetensors.torch import load_file, save_file

    pass

    model, tokenizer = tiny.build("tiny_bert", attention="sdpa")
    model.save_pretrained(tmp_path / "mine")
    tokenizer.save_pretrained(tmp_path / "mine")
    file = tmp_path / "mine" / "model.safetensors"
    weights = {name: value for name, value in load_file(file).items() if "layer.2.attention.self.key" not in name}
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"the checkpoint lacks .*layer.2.attention.self.key"):
        run([make_run(backbone__source="hub", backbone__id=str(tmp_path / "mine"))])


def test_runs_that_cannot_share_a_batch_are_refused(make_run):
    with pytest.raises(InputError, match="cannot share a batch"):
        run([make_run(), make_run(seed=2, train__precision="bf16")])
    with pytest.raises(InputError, match="one trains the backbone"):
        run([make_run("fine_tuning"), make_run()])


def test_packed_runs_leave_a_record_each(make_run):
    configs = [make_run(seed=1), make_run("prompt_tuning", "cb", seed=2)]
    packed = run(configs)
    assert [record["speed"]["lanes"] for record in packed] == [2, 2]
    assert [store.find(config)["id"] for config in configs] == [record["id"] for record in packed]


def test_wandb_failing_harms_no_run(make_run, monkeypatch):
    import wandb

    def fails(**_):
        raise RuntimeError("no network")

    monkeypatch.setattr(wandb, "init", fails)
    config = make_run(runtime__wandb="online")
    with pytest.warns(UserWarning, match="W&B is left out of this session: no network"):
        (record,) = run([config])
    assert record["status"] == "finished"
    assert store.find(config) == record


def test_layers_that_the_backbone_lacks_are_refused_before_training(make_run, monkeypatch):
    monkeypatch.setattr("ptuning.training.loop.step", lambda *_: pytest.fail("trained"))
    with pytest.raises(InputError, match=r"prompt.layers=17-24 is refused: the backbone has layers 1-4"):
        run([make_run(prompt__layers="17-24")])
    with pytest.raises(InputError, match=r"prompt.length=100 .*the backbone has 160"):
        run([make_run(prompt__length=100)])


def test_a_tiny_backbone_is_the_same_each_time():
    assert make_backbone().content == make_backbone().content
