"""Checkpoints that are no plain, whole and finite model with a tokenizer that fits are refused, one sentence each, and
none of their code is run."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, AutoModelForCausalLM, BertweetTokenizer, PreTrainedTokenizerFast

from ptuning.backbones import checkpoints, content, load, tiny, tokenizers
from ptuning.backbones.backbone import Backbone
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.pypi import cache_root
from tests.damage import NUMBER, damaged, is_sentence, mutated

ROOT = Path(__file__).parents[2]
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return save(tmp_path / "model")


def save(folder, name="tiny_bert", kind=AutoModel):
    model, tokenizer = tiny.build(name, kind=kind)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read(folder, kind=AutoModel):
    config = BackboneConfig(name="mine", source="hub", id=str(folder), pooler="none")
    return checkpoints.read(config, str(folder), 0.0, "prompted_sdpa", kind)


def refused(folder, said, named=True):
    with pytest.raises(InputError, match=said) as error:
        read(folder)
    assert "\n" not in str(error.value)
    assert not named or str(error.value).startswith(f"backbone.id={folder}: ")


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    kept = {key: value for key, value in (config | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))


# --- tokenizers


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_tokenizers_that_fit_are_taken(name):
    """Also of more embeddings than tokens, and without a token for padding."""
    model, tokenizer = tiny.build(name)
    tokenizers.check(tokenizer, model, name)
    tokenizer.pad_token = None
    tokenizers.check(tokenizer, tiny.build(name, vocab_size=1600)[0], name)


@pytest.mark.parametrize(
    "name", ["tiny_bert", "tiny_roberta", "tiny_deberta_v2", "tiny_mpnet", "tiny_gpt2", "tiny_llama", "tiny_t5"]
)
def test_a_folder_without_tokenizer_files_is_refused(tmp_path, name):
    """transformers makes up a tokenizer of special tokens alone for most families."""
    folder = save(tmp_path / "model", name)
    for file in TOKENIZER:
        (folder / file).unlink()
    refused(folder, "there is no tokenizer|its tokenizer cannot be read")


def word_tokenizer(*words):
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")


def test_a_tokenizer_to_which_every_word_is_unknown_is_refused(folder):
    word_tokenizer("xqzzy", "▁").save_pretrained(folder)
    refused(folder, "to the tokenizer every word is unknown")
    word_tokenizer("fox").save_pretrained(folder)
    assert read(folder)[1]("fox jumps")["input_ids"] == [2, 1]


def test_a_tokenizer_of_more_ids_than_there_are_embeddings_is_refused(folder):
    tokenizer = tiny.build("tiny_bert")[1]
    tokenizer.add_tokens([f"word{i}" for i in range(1600)])
    tokenizer.save_pretrained(folder)
    refused(folder, r"ids up to \d+, and the model embeddings of 1544 tokens alone")


def test_a_tokenizer_that_is_not_fast_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("a 1\nb 1\n")
    (tmp_path / "bpe.codes").write_text("a b 1\n")
    slow = BertweetTokenizer(str(tmp_path / "vocab.txt"), str(tmp_path / "bpe.codes"))
    with pytest.raises(InputError, match=r"^here: BertweetTokenizer is no fast tokenizer.*tokenizer\.json"):
        tokenizers.check(slow, tiny.build("tiny_roberta")[0], "here")


# --- models


@pytest.mark.parametrize(
    "text", ["{", "[]", "5", "null", '"x"', "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\udc80", ""]
)
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    refused(folder, "there is no config.json that can be read .*give a folder with config.json, model.safetensors")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": None}, "no config.json that can be read .it has no model_type"),
        ({"model_type": "nonsense"}, "model_type=nonsense is of no family that there is"),
        ({"hidden_size": None}, "its weights cannot be read|transformers makes nothing of config.json"),
        ({"hidden_size": "many"}, "its weights cannot be read|transformers makes nothing of config.json"),
        ({"num_attention_heads": 5}, "its weights cannot be read"),
        ({"vocab_size": 9}, "its weights cannot be read"),
        ({"hidden_act": "nonsense"}, "its weights cannot be read"),
        ({"num_hidden_layers": 10**30}, "num_hidden_layers=10+ is refused: at most 1000"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "the checkpoint is quantised"),
    ],
)  # fmt: skip
def test_a_config_without_its_keys_or_with_others_is_refused(folder, changes, said):
    edit(folder, **changes)
    refused(folder, said)


def test_an_adapter_is_refused_instead_of_read_as_the_model_that_it_names(folder):
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "another/model"}))
    refused(folder, "an adapter of another model")


@pytest.mark.parametrize("damage", ["truncated", "header", "none", "text"])
def test_damaged_weights_are_refused(folder, damage):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    file.unlink()
    if damage != "none":
        file.write_bytes(
            {"truncated": whole[:-100], "header": b"\xff" * 20 + whole[20:], "text": b"version 1\n"}[damage]
        )
    refused(folder, "its weights cannot be read .*load the checkpoint anew")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder, value):
    state = load_file(folder / "model.safetensors")
    state["encoder.layer.1.output.dense.weight"][3, 4] = value
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    refused(folder, r"the weight encoder\.layer\.1\.output\.dense\.weight is not finite")


def test_finite_weights_that_overflow_are_refused():
    model, tokenizer = tiny.build("tiny_bert")
    model.pooler = None
    with torch.no_grad():
        model.encoder.layer[1].output.LayerNorm.weight *= 3e38
        model.encoder.layer[1].output.LayerNorm.bias.fill_(3e38)
    with pytest.raises(InputError, match="gives hidden states that are not finite"):
        Backbone(model, tokenizer, None)


# --- code


EVIL = "open({marker!r}, 'w').write('x')\nfrom transformers import BertConfig, BertModel as EvilModel\n"
CALL = """
import sys
from transformers import AutoModel, AutoModelForCausalLM
from ptuning.backbones import attention
from ptuning.errors import InputError
from tests.backbones.test_checkpoints import read
for folder in sys.argv[1:]:
    try:
        read(folder, AutoModelForCausalLM if folder.endswith("generates") else AutoModel)
        print("read")
    except InputError as error:
        print(error)
"""


def test_no_code_of_a_folder_is_run_with_yes_on_stdin(tmp_path):
    """Of a config, a model, a tokenizer, and of generation; of a family that there is, and of one that is not."""
    marker = str(tmp_path / "executed")
    folders = [save(tmp_path / name) for name in ("unknown", "known")]
    folders.append(save(tmp_path / "generates", "tiny_gpt2", AutoModelForCausalLM))
    own = {
        "AutoConfig": "evil.EvilConfig",
        "AutoModel": "evil.EvilModel",
        "AutoTokenizer": [None, "evil.EvilTokenizer"],
    }
    for folder in folders:
        (folder / "evil.py").write_text(EVIL.format(marker=marker))
        (folder / "custom_generate").mkdir()
        shutil.copyfile(folder / "evil.py", folder / "custom_generate/generate.py")
        edit(folder, auto_map=own)
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"auto_map": own}))
    edit(folders[0], model_type="evilbert")
    done = subprocess.run(
        [sys.executable, "-c", CALL, *map(str, folders)],
        cwd=ROOT, env=os.environ | {"HF_HUB_OFFLINE": "1"}, input="y\n" * 100,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"backbone.id={folders[0]}: model_type=evilbert brings code of its own"), done.stderr
    assert lines[1:] == ["read", "read"], done.stderr
    assert not os.path.exists(marker)


# --- drawn damage


def test_damaged_folders_are_refused_or_run(folder, make_run):
    """Bytes of any file, or what its JSON says. Other numbers in the weights are another model, of other content."""
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    train = make_run().train
    draw = random.Random(0)
    for number in range(NUMBER):
        name = draw.choice(sorted(whole))
        changed = damaged(whole[name], draw)
        if name.endswith(".json") and number % 2:
            changed = json.dumps(mutated(json.loads(whole[name]), draw)).encode()
        (folder / name).write_bytes(changed)
        try:
            load.load(BackboneConfig(name="mine", source="hub", id=str(folder), pooler="none"), train)
        except InputError as error:
            assert is_sentence(error), (number, name)
        (folder / name).write_bytes(whole[name])


def test_damaged_memories_of_content_are_worked_out_again(folder):
    config = BackboneConfig(name="mine", source="hub", id=str(folder), pooler="none")
    expected = load.content_here(config)
    (file,) = (cache_root() / "contents").iterdir()
    whole = file.read_bytes()
    draw = random.Random(0)
    for number in range(NUMBER):
        said = json.dumps(mutated(json.loads(whole), draw)).encode()
        file.write_bytes(said if number % 2 else damaged(whole, draw))
        assert content.remembered(folder) in (None, expected), number
    assert load.content_here(config) == content.remembered(folder) == expected
