"""What a look at the machine tells is refused before any run is begun, for all runs that have no record."""

import json
import sys

import pytest

from experiments import run as run_module
from ptuning.backbones import load, tiny
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.launch import compose, preconditions
from ptuning.sweep import sweep
from tests.conftest import make_backbone

TINY = ["backbone=tiny_bert", "task=cb"]
MINI = [*TINY, "data=miniature"]
ADAPTED = ["backbone=bert_tiny_adapted", "task=cb", "data=miniature"]
FOLDER = ["backbone=hub", "backbone.name=mine", "task=cb", "data=miniature"]


@pytest.fixture
def folder(tmp_path):
    """A checkpoint's config alone."""
    tiny.config_of("tiny_roberta").save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ([*TINY, "data=local", "data.root=/nowhere"], r"^data.root=/nowhere is not a folder: correct it"),
        ([*TINY, "data=local", 'data.root="~nobody.of.that.name/x"'], r"^data.root=~nobody.* is not a folder"),
        ([*TINY, "data=local", "data.root=."], None),
        ([*TINY, "data=local", "data.root=.", "data.files={tset: a}"], r"^data.files.tset is not a split"),
        (["backbone=tiny_bert", "task=btc", "method=mpt_2", "data=local", "data.root=/no"], r"^data.root=/no is"),
        ([*MINI, "prompt.layers=5"], r"^prompt.layers=5 is refused: the backbone has layers 1-4"),
        ([*MINI, "prompt.layers=1-5,1-4"], r"^prompt.layers=1-5 is refused"),
        ([*MINI, "backbone=minilm_l6", "prompt.layers=5-7"], r"^prompt.layers=5-7 is refused: the backbone has"),
        ([*MINI, "prompt.length=20,33"], r"^prompt.length=33 with task.max_length=128 needs 161 positions, and the b"),
        ([*MINI, "prompt.length=32"], None),
        ([*MINI, "backbone=tiny_roberta", "prompt.length=33"], r"needs 161 positions, and the backbone has 160: shor"),
        ([*MINI, "backbone=tiny_roberta", "prompt.length=32"], None),
        ([*MINI, "task.max_length=400", "method=fine_tuning"], r"^prompt.length=0 with task.max_length=400 needs 400"),
        ([*MINI, "backbone=tiny_t5"], r"^prompt.positions=shift is refused: .*'t5' takes no position ids"),
        ([*MINI, "backbone.id=tiny_beard"], r"^backbone.id=tiny_beard: the random backbones are tiny_bert"),
        ([*FOLDER, "backbone.id=./none"], r"^backbone.id=./none is not a folder: correct it"),
        ([*FOLDER, "backbone.id=org/not_here"], None),
        ([*ADAPTED, "backbone.adaptation.text=null"], r"^backbone.adaptation.text is not set, .* text=<folder>"),
        ([*ADAPTED, "text=/nowhere"], r"^backbone.adaptation.text=/nowhere is no text file, nor a folder"),
        ([*ADAPTED, "text=docs"], None),
        ([*ADAPTED, "text=README.md"], None),
        ([*ADAPTED, "text=docs", "backbone.adaptation.objective=prefix_lm"], r"=prefix_lm trains .*choose masked_lm"),
        ([*ADAPTED, "text=docs", "backbone.id=minilm_l6"], r"^backbone.id=minilm_l6 has no language-model head"),
    ],
    ids=lambda one: " ".join(one)[:80] if isinstance(one, list) else "",
)  # fmt: skip
def test_it_is_refused_in_one_sentence(overrides, sentence, tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path))  # where nothing was adapted before
    runs = compose.expand(overrides)
    if sentence is None:
        preconditions.check(runs)
        return
    with pytest.raises(InputError, match=sentence) as refused:
        preconditions.check(runs)
    assert "\n" not in str(refused.value)


def test_of_a_folder_its_config_is_read(folder, monkeypatch):
    def check(*overrides):
        preconditions.check(compose.expand([*FOLDER, f"backbone.id={folder}", *overrides]))

    check("prompt.length=32")
    with pytest.raises(InputError, match=r"needs 161 positions, and the backbone has 160"):
        check("prompt.length=33")
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(stated | {"quantization_config": {"bits": 4}}))
    with pytest.raises(InputError, match=r"the checkpoint is quantised"):
        check()
    (folder / "config.json").write_text(json.dumps(stated | {"num_hidden_layers": 10**9}))
    with pytest.raises(InputError, match=r"num_hidden_layers=1000000000 is refused"):
        check()


@pytest.mark.parametrize("name", sorted(tiny.FAMILIES))
def test_a_config_tells_the_shape_that_the_model_has(name):
    config = BackboneConfig(name=name, source="random", id=name, pooler="none")
    told, found = load.shape_here(config), make_backbone(name).shape
    assert (told.layers, told.positions, told.takes_positions) == (
        found.layers,
        found.positions,
        found.takes_positions,
    )


def refused(monkeypatch, *arguments):
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(run_module, "end_on_signals", lambda: None)
        patch.setattr(sys, "argv", ["run", *map(str, arguments)])
        run_module.main()
    return stop.value.code


def test_nothing_of_a_launch_is_begun_and_what_has_a_record_is_not_asked(tmp_path, monkeypatch, capsys):
    begun = []
    monkeypatch.setattr(run_module, "job", lambda: begun.append(1))
    where = [f"runtime.results={tmp_path}", "runtime.wandb=disabled"]
    assert refused(monkeypatch, "-m", *MINI, "prompt.length=4,400", *where) == 2
    assert capsys.readouterr().err.startswith("error: prompt.length=400 with task.max_length=128 needs 528 positions")
    assert not begun

    row = {"premise": "p", "hypothesis": "h", "label": "neutral"}
    for split in ("train", "val"):
        (tmp_path / "data/superglue/CB").mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps({**row, "idx": idx, "premise": f"{split}{idx}"}) + "\n" for idx in range(4))
        (tmp_path / "data/superglue/CB" / f"{split}.jsonl").write_text(lines)
    local = [*TINY, "data=local", f"data.root={tmp_path}/data", "train.epochs=1", "runtime.device=cpu", *where]
    (config,) = compose.expand(local)
    sweep.launch(config)
    (tmp_path / "data").rename(tmp_path / "moved")
    assert refused(monkeypatch, *local, "train.lr=0.5") == 2
    assert "is not a folder" in capsys.readouterr().err
    monkeypatch.setattr(run_module, "_missing", lambda runs: [])
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "end_on_signals", lambda: None)
        patch.setattr(sys, "argv", ["run", *local])
        run_module.main()
    assert begun
