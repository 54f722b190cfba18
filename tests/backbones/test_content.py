"""What a backbone is: hashes that tell whatever changes its function, and nothing that does not."""

import pytest
import torch
from transformers import AutoModelForMaskedLM

from ptuning.backbones import content, load, tiny
from ptuning.config import BackboneConfig, HeadConfig
from ptuning.errors import InputError
from ptuning.records import matching, weights
from ptuning.run import run


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))


def built(name="tiny_bert", **shape):
    model, tokenizer = tiny.build(name, **shape)
    model.pooler = None
    return model, tokenizer


def saved(folder, **shape):
    model, tokenizer = tiny.build("tiny_bert", 0.0, **shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return BackboneConfig(name="mine", source="hub", id=str(folder), pooler="none")


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_a_backbone_and_what_is_asked_without_loading_it_agree(make_run, name):
    config = BackboneConfig(name="any", source="random", id=name, pooler="none")
    assert load.content_here(config) == load.load(config, make_run().train).content


def test_a_weight_moves_the_weights_hash_alone():
    model, tokenizer = built()
    before = content.of(model, tokenizer, None)
    with torch.no_grad():
        model.encoder.layer[1].output.dense.bias[3] += 1e-3
    after = content.of(model, tokenizer, None)
    assert after.pop("fingerprint") != before.pop("fingerprint")
    assert after == before


def test_precision_and_dropout_move_nothing():
    model, tokenizer = built()
    before = content.of(model, tokenizer, None)
    noisy = tiny.build("tiny_bert", 0.3)[0]
    noisy.pooler = None
    assert content.of(noisy, tokenizer, None) == before


def test_config_keys_that_change_the_function_are_told_and_no_others():
    model, _ = built(hidden_act="relu", layer_norm_eps=1e-6)
    stock, _ = built()
    found, plain = content.function_config(model.config), content.function_config(stock.config)
    assert found == plain | {"hidden_act": "relu", "layer_norm_eps": 1e-6}
    assert content.fingerprint(model) == content.fingerprint(stock)
    stock.config.update({"architectures": ["Other"], "use_cache": False, "_name_or_path": "/elsewhere"})
    assert content.function_config(stock.config) == plain


def test_tokenizers_are_told_apart_by_what_they_do():
    _, tokenizer = built()
    before = content.tokenizer_hash(tokenizer)
    assert content.tokenizer_hash(built()[1]) == before
    tokenizer("a first text", truncation=True, max_length=3, padding="max_length")  # leaves its settings behind
    assert content.tokenizer_hash(tokenizer) == before
    tokenizer.add_tokens(["brown fox"])
    assert content.tokenizer_hash(tokenizer) != before


def test_content_is_computed_once_for_a_folder_until_its_files_change(tmp_path, monkeypatch):
    config = saved(tmp_path / "one")
    first = load.content_here(config)
    assert first["pooler"] is not None
    with monkeypatch.context() as patch:
        patch.setattr(load, "_pretrained", lambda *_: pytest.fail("loaded again"))
        assert load.content_here(config) == first
    saved(tmp_path / "one", hidden_act="relu")
    assert load.content_here(config)["config"] == first["config"] | {"hidden_act": "relu"}
    assert load.content_here(config)["fingerprint"] == first["fingerprint"]


def test_the_same_model_elsewhere_has_the_same_content_and_loading_it_keeps_it(tmp_path, make_run, monkeypatch):
    one, other = saved(tmp_path / "one"), saved(tmp_path / "other")
    loaded = load.load(one, make_run().train)
    monkeypatch.setattr(load, "_pretrained", lambda *_: pytest.fail("loaded again"))
    assert load.content_here(one) == loaded.content
    monkeypatch.undo()
    assert load.content_here(other) == loaded.content


@pytest.mark.parametrize("cache", ["file/cache", "~nobody-of-this-name/cache"])
def test_a_cache_that_cannot_be_written_fails_no_run(tmp_path, monkeypatch, make_run, cache):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PTUNING_CACHE", cache if cache.startswith("~") else str(tmp_path / cache))
    config = saved(tmp_path / "one")
    assert load.content_here(config) == load.load(config, make_run().train).content


@pytest.mark.parametrize(
    ("source", "where"), [("hub", "nobody/has-this"), ("hub", "/not/there"), ("pypi", "minilm_l6")]
)
def test_what_is_not_on_this_machine_has_no_content_and_is_not_fetched(tmp_path, monkeypatch, source, where):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    assert load.content_here(BackboneConfig(name="any", source=source, id=where, pooler="none")) is None


def test_a_record_and_saved_weights_of_a_verbalizer_stand_for_its_language_model_head_too(tmp_path, make_run):
    """Two folders whose backbones are alike, and their heads are not."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for number, folder in enumerate(folders):
        model, tokenizer = tiny.build("tiny_bert", 0.0, kind=AutoModelForMaskedLM)
        with torch.no_grad():
            model.cls.predictions.bias += number
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    keys = {"pattern": None, "template": "{premise} <mask>", "words": {"entailment": "k", "not_entailment": "q"}}
    head = {"name": "verbalizer", **keys, "loss": "labels", "z_loss": 0.0}
    mine = {"backbone__name": "mine", "backbone__source": "hub", "train__epochs": 1, "runtime__save": True}
    one, other = (make_run(backbone__id=str(folder), head=head, **mine) for folder in folders)
    (record,) = run([one])
    assert record["backbone"]["lm_head"] == load.lm_head_here(one.backbone) != load.lm_head_here(other.backbone)
    matching.check_backbone(one, record)
    with pytest.raises(InputError, match=r"made from another backbone .*, language-model heads differ"):
        matching.check_backbone(other, record)
    with pytest.raises(InputError, match=r"trained on another backbone .*, language-model heads differ"):
        weights.load(weights.path(one), other, load.load(other.backbone, other.train))
    assert weights.load(weights.path(one), one, load.load(one.backbone, one.train))
    plain = [config.model_copy(update={"head": HeadConfig()}) for config in (one, other)]
    (record,) = run(plain[:1])
    assert "lm_head" not in record["backbone"]
    matching.check_backbone(plain[1], record)
