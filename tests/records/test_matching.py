"""A record stands for a run only if it was made from the same backbone, whatever that is called."""

import json

import pytest

from experiments import status
from ptuning.backbones import tiny
from ptuning.errors import InputError
from ptuning.records import matching, store
from ptuning.run import run
from ptuning.sweep.resume import done
from ptuning.sweep.sweep import launch


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))


def saved(folder, **shape):
    """The keys of a run on a tiny backbone in `folder`, which has a pooler."""
    model, tokenizer = tiny.build("tiny_bert", 0.0, **shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"backbone__source": "hub", "backbone__id": str(folder), "backbone__name": "mine"}


def test_a_record_keeps_what_its_backbone_is_made_of(make_run, tmp_path):
    (record,) = run([make_run(**saved(tmp_path / "one"))])
    assert record["backbone"].keys() == {"fingerprint", "tokenizer", "config", "layers"}
    (record,) = run([make_run(**saved(tmp_path / "one"), backbone__pooler="trained")])
    assert record["backbone"].keys() == {"fingerprint", "tokenizer", "config", "layers", "pooler"}


def test_a_copy_of_the_backbone_elsewhere_is_the_same_run(make_run, tmp_path):
    here, there = saved(tmp_path / "one"), saved(tmp_path / "copy")
    run([make_run(**here)])
    assert done(make_run(**there))


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"num_hidden_layers": 3}, "weights differ: [0-9a-f]{16} there and [0-9a-f]{16} here"),
        ({"hidden_act": "relu"}, "configs differ: hidden_act None there and relu here"),
    ],
)
def test_another_backbone_under_the_same_name_is_refused(make_run, tmp_path, shape, what):
    run([make_run(**saved(tmp_path / "one"))])
    other = saved(tmp_path / "other", **shape)
    refused = f"backbone.name=mine here .backbone.id=.*other.*{what}.*another backbone.name"
    for launched in (done, launch):
        with pytest.raises(InputError, match=refused):
            launched(make_run(**other))
    assert launch(make_run(**(other | {"backbone__name": "other"})))["status"] == "finished"


def test_what_a_record_lacks_is_not_compared(make_run, tmp_path):
    config = make_run(**saved(tmp_path / "one"))
    run([config])
    other = make_run(**saved(tmp_path / "other", hidden_act="relu"))
    record = store.find(config)
    record["backbone"] = {key: record["backbone"][key] for key in ("fingerprint", "layers")}  # as records were
    matching.check_backbone(other, record)
    matching.check_backbone(other, {})


def test_without_the_backbone_records_stand_by_their_ids_and_status_says_so(make_run, tmp_path, monkeypatch, capsys):
    config = make_run(**saved(tmp_path / "one"))
    run([config])
    gone = make_run(**saved(tmp_path / "one") | {"backbone__id": str(tmp_path / "gone")})
    assert done(gone)
    assert matching.not_here([config, make_run()]) == []
    monkeypatch.setattr("sys.argv", ["status"])
    monkeypatch.setattr(status.compose, "expand", lambda _: [gone])
    status.main()
    assert "backbone mine is not on this machine: its records are taken by their ids" in capsys.readouterr().out


def test_records_of_old_stand_for_their_backbone(make_run):
    """The committed ones hold nothing but the weights' fingerprint and the number of layers."""
    config = make_run()
    (record,) = run([config])
    stored = json.loads(store.path(config).read_text())
    stored["backbone"] = {"fingerprint": record["backbone"]["fingerprint"], "layers": 4}
    store.path(config).write_text(json.dumps(stored))
    assert done(config)
    stored["backbone"]["fingerprint"] = "0" * 16
    store.path(config).write_text(json.dumps(stored))
    with pytest.raises(InputError, match="weights differ: 0000000000000000 there"):
        done(config)
