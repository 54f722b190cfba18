"""Adapted backbones: trained on once, the same for a seed, known by what they are made of, and nobody else's."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ptuning.backbones import adaptation, load, plain_text, tiny
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import store, weights
from ptuning.records.identity import run_id
from ptuning.run import run
from ptuning.sweep.resume import done

WORDS = ["the", "prompt", "is", "a", "row", "of", "numbers", "that", "learns"]
RECIPE = {
    "objective": "masked_lm", "steps": 3, "batch_size": 2, "length": 16, "optimizer": "adamw", "lr": 5e-3, "seed": 1,
}  # fmt: skip
OBJECTIVES = [
    ("tiny_bert", "masked_lm"), ("tiny_roberta", "masked_lm"), ("tiny_gpt2", "causal_lm"), ("tiny_llama", "causal_lm"),
    ("tiny_t5", "prefix_lm"), ("tiny_bart", "prefix_lm"), ("tiny_t5", "span_corruption"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path):
    return written(tmp_path / "text", 1)


def written(folder, seed):
    """A folder with two files of sentences."""
    draws = random.Random(seed)
    folder.mkdir()
    for name in ("one.md", "two.txt"):
        lines = [" ".join(draws.choices(WORDS, k=8)) for _ in range(40)]
        (folder / name).write_text("\n\n".join(lines))
    return str(folder)


def adapted(text, name="tiny_bert", **recipe):
    keys = RECIPE | {"text": text} | recipe
    return BackboneConfig(name=f"{name}_adapted", source="random", id=name, pooler="none", adaptation=keys)


def made(config):
    """The tensors of its checkpoint."""
    load._adapt(config)
    stored = load_file(load.local_folder(config) / "model.safetensors")
    return {name: tensor.clone() for name, tensor in stored.items()}  # the file itself may be changed


@pytest.mark.parametrize(("name", "objective"), OBJECTIVES)
def test_the_loss_falls_and_body_and_head_are_those_that_were_trained(text, make_run, name, objective):
    config = adapted(text, name, objective=objective, steps=40)
    backbone, base = (load.with_lm_head(one, make_run().train) for one in (config, config.base))
    losses = json.loads((load.local_folder(config) / "manifest.json").read_text())["loss"]
    assert losses["after"] < losses["before"] - 1
    assert backbone.architecture == base.architecture
    moved, before = backbone.weights(), base.weights()
    assert moved.keys() == before.keys()
    # None where it is tied to the embeddings; BART's bias is no parameter.
    heads = [one for one in moved if one.startswith("lm_head.") and not one.endswith("final_logits_bias")]
    bodies = [
        one
        for one in moved
        if one.endswith(
            (
                "layers.0.mlp.up_proj.weight",
                "h.0.mlp.c_fc.weight",
                "fc1.weight",
                "intermediate.dense.weight",
                "wi.weight",
            )
        )
    ]
    for part in (heads, bodies):
        assert not any(torch.equal(moved[one], before[one]) for one in part)
    assert bodies


def test_the_content_is_the_base_s_but_for_what_was_trained(text, make_run):
    config = adapted(text)
    before = load.content_here(config)  # told before it is made
    backbone, base = (load.with_lm_head(one, make_run().train) for one in (config, config.base))
    assert backbone.content == before | {"lm_head": load.lm_head_here(config)}
    assert {key for key in base.content if base.content[key] != backbone.content[key]} == {"fingerprint", "lm_head"}
    read = load.content.of(*load._without_pooler(config))
    assert (read["config"], read["tokenizer"]) == (before["config"], before["tokenizer"])


def test_it_is_made_once_and_is_the_same_when_it_is_made_anew(text, monkeypatch, tmp_path):
    first = made(adapted(text))
    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "train", None)
        assert made(adapted(text)).keys() == first.keys()
        assert made(adapted(None)).keys() == first.keys()  # of the text that it was made of here
        (copy := tmp_path / "copy").mkdir()
        for file in Path(text).iterdir():
            (copy / file.name).write_text(file.read_text())
        assert made(adapted(str(copy))).keys() == first.keys()
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "elsewhere"))
    again = made(adapted(text))
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())


def test_a_damaged_one_is_made_again(text, caplog):
    first = made(adapted(text))
    file = load.local_folder(adapted(text)) / "model.safetensors"
    stored = bytearray(file.read_bytes())
    stored[-1] ^= 1
    file.write_bytes(stored)
    again = made(adapted(text))
    assert "the cached model.safetensors is damaged, making it again" in caplog.text
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())


@pytest.mark.parametrize("changed", [{"steps": 4}, {"seed": 2}, {"lr": 1e-3}, {"batch_size": 3}, {"length": 17}])
def test_another_recipe_is_another_backbone_and_another_run(text, make_run, changed):
    one, other = adapted(text), adapted(text, **changed)
    assert load.content_here(one) != load.content_here(other)
    runs = [make_run().model_copy(update={"backbone": backbone}) for backbone in (one, other, one.base)]
    assert len({run_id(config) for config in runs}) == 3


def test_another_text_is_another_backbone_of_the_same_run(text, tmp_path, make_run):
    one, other = adapted(text), adapted(written(tmp_path / "other", 2))
    assert load.content_here(one) != load.content_here(other)
    runs = [make_run().model_copy(update={"backbone": backbone}) for backbone in (one, other)]
    assert run_id(runs[0]) == run_id(runs[1])
    assert Run.parse(runs[0]).pack_key != Run.parse(runs[1]).pack_key
    for config in (one, other):
        load._adapt(config)
    with pytest.raises(InputError, match=r"^backbone.adaptation.text is not set, .* of 2 texts: say by which"):
        load.content_here(adapted(None))


def test_a_record_stands_for_what_was_made_of_the_same_text_alone(text, tmp_path, make_run):
    config = make_run(train__epochs=1).model_copy(update={"backbone": adapted(text)})
    (record,) = run([config])
    assert record["backbone"]["fingerprint"] == load.content_here(adapted(text))["fingerprint"]
    assert record["config"]["backbone"]["adaptation"] == RECIPE
    assert str(tmp_path) not in store.path(config).read_text()
    assert done(config)
    nowhere = config.model_copy(update={"backbone": adapted("/no/text")})
    assert done(nowhere), "unchecked: the text is not here"
    other = config.model_copy(update={"backbone": adapted(written(tmp_path / "other", 2))})
    with pytest.raises(InputError, match=r"was made from another backbone .*weights differ"):
        done(other)


def test_saved_weights_load_where_it_was_made_without_saying_the_text_again(text, make_run):
    backbone = {"backbone": adapted(text)}
    config = make_run("prompt_tuning", "cb", train__epochs=1, runtime__save=True).model_copy(update=backbone)
    run([config])
    (file,) = config.runtime.weights.glob("*.safetensors")
    stored = weights.read_config(file, config.runtime)
    assert stored.backbone == config.backbone.without_text != config.backbone
    weights.load(file, stored, load.load(stored.backbone, stored.train))
    with pytest.raises(InputError, match=r"was trained on another backbone .*weights differ"):
        weights.load(file, stored, load.load(stored.backbone.base, stored.train))


def test_base_and_adapted_share_no_pass_and_leave_each_other_as_they_are(text, make_run):
    configs = [
        make_run("prompt_tuning", "cb", train__epochs=1).model_copy(update={"backbone": backbone})
        for backbone in (adapted(text, steps=20), adapted(text).base)
    ]
    assert len({Run.parse(config).pack_key for config in configs}) == 2
    with pytest.raises(InputError, match="cannot share a batch: they differ in backbone"):
        run(configs)
    before = load.load(configs[1].backbone, configs[1].train).weights()
    records = [run([config])[0] for config in configs]
    assert records[0]["history"][0]["loss"] != records[1]["history"][0]["loss"]
    after = load.load(configs[1].backbone, configs[1].train).weights()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("name", "recipe", "sentence"),
    [
        ("tiny_bert", {"text": None}, r"^backbone.adaptation.text is not set, .* by text=<folder>"),
        ("tiny_bert", {"text": "/no/text"}, r"^backbone.adaptation.text=/no/text is no text file, nor a folder"),
        ("tiny_bert", {"text": "a\0b"}, r"^backbone.adaptation.text='a\\x00b' is no text file"),
        ("tiny_bert", {"text": "hub:"}, r"^backbone.adaptation.text=hub: names no data set"),
        (
            "tiny_bert",
            {"objective": "prefix_lm"},
            r"=prefix_lm .* encoder_decoder, and this one's is encoder: choose m",
        ),
        ("tiny_gpt2", {}, r"=masked_lm .* encoder, and this one's is decoder: choose causal_lm"),
        ("tiny_t5", {}, r"=masked_lm .* this one's is encoder_decoder: choose prefix_lm or span_corruption"),
        ("tiny_bert", {"objective": "none"}, r"^backbone.adaptation.objective=none is unknown: choose one of causal"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(text, name, recipe, sentence):
    config = adapted(**{"text": text, "name": name} | recipe)
    for asked in (load.check_adaptation, load._adapt):
        with pytest.raises(InputError, match=sentence) as refused:
            asked(config)
        assert "\n" not in str(refused.value)
    assert load.local_folder(config) is None


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"length": 2000}, r"has \d+ tokens, and two windows of backbone.adaptation.length=2000 do not fit"),
        ({"lr": 1e30, "steps": 5}, r"^backbone.adaptation.lr=1e\+30 is too high"),
    ],
)
def test_what_shows_only_at_work_is_refused_and_nothing_is_left(text, recipe, sentence):
    with pytest.raises(InputError, match=sentence):
        load._adapt(adapted(text, **recipe))
    assert load.local_folder(adapted(text, **recipe)) is None


def test_a_data_set_of_the_hub_is_known_by_its_name(monkeypatch):
    import datasets

    asked = []

    def load_dataset(*names, **keys):
        asked.append((names, keys))
        return {"text": ["a row of numbers", "", "that learns"]}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    place = "hub:owner/books:small@v1"
    tokenizer = tiny.tokenizer("bert", pad_id=0)
    found = plain_text.tokens(place, tokenizer)
    assert found.tolist() == tokenizer("a row of numbers that learns", add_special_tokens=False)["input_ids"]
    assert asked == [(("owner/books", "small"), {"split": "train", "revision": "v1"})]
    assert plain_text.fingerprint(place) not in (None, plain_text.fingerprint("hub:owner/books"))
    monkeypatch.setattr(datasets, "load_dataset", lambda *names, **keys: 1 / 0)
    with pytest.raises(InputError, match=r"^backbone.adaptation.text=hub:owner/books could not be loaded \(division"):
        plain_text.tokens("hub:owner/books", tokenizer)
