"""Prompts answer the same here and in PEFT, whichever of the two they come from."""

import json

import numpy as np
import peft
import pytest
import torch

import ptuning
from experiments.peft import run_of
from ptuning.backbones import dropout
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import weights
from ptuning.run import prepare_backbone
from ptuning.sharing import peft as exchange
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.forward import forward
from tests.conftest import LSTM

VERBALIZER = {
    "name": "verbalizer", "template": "{premise} ? {hypothesis} : <mask>",
    "words": {"entailment": "ye", "not_entailment": "no"}, "loss": "labels", "z_loss": 0.0,
}  # fmt: skip
SPEAKS = {"head": VERBALIZER}
POOLED = {"backbone__pooler": "trained"}
PAIRS = {  # what is exchanged: method, task, backbone, other keys
    "classification": ("p_tuning_v2", "rte", "tiny_bert", POOLED),
    "classification of roberta": ("p_tuning_v2", "rte", "tiny_roberta", POOLED),
    "regression": ("p_tuning_v2", "stsb", "tiny_bert", POOLED),
    "tokens": ("p_tuning_v2", "wnut17", "tiny_bert", {}),
    "span": ("p_tuning_v2", "squad", "tiny_roberta", {"task__options": {"stride": 16}}),
    "prefix of gpt2": ("prefix_tuning", "rte", "tiny_gpt2", SPEAKS),
    "prefix of grouped heads": ("p_tuning_v2", "rte", "tiny_llama", SPEAKS),
    "prefix of grouped heads of another size": ("p_tuning_v2", "rte", "tiny_qwen3", SPEAKS),
    "input prompt": ("prompt_tuning", "rte", "tiny_gpt2", SPEAKS),
    "input prompt of an encoder": ("p_tuning", "rte", "tiny_llama", SPEAKS | {"prompt__reparameterization": LSTM}),
}


def written(make_run, method, task, backbone, **overrides):
    """A file of weights as they are drawn: what is exchanged need not be trained."""
    config = make_run(method, task, backbone__id=backbone, backbone__name=backbone, **overrides)
    run = Run.parse(config)
    backbone = prepare_backbone(run)
    adapter = Adapter(run, task, backbone)
    return config, weights.write(weights.path(config), config, weights.state_of(adapter, backbone), backbone.content)


def ours(model, config):
    """The logits of a few dev examples, and the sequences that they are of."""
    (adapter,) = model._answerer.adapters.values()
    encoded = adapter.encode(splits.load_for_run(config)[1].dev[:3])
    with (
        torch.no_grad(),
        forward(model._answerer.backbone, [AdapterBatch(adapter, encoded, np.arange(3))]) as (logits,),
    ):
        return adapter, encoded, logits


def theirs(model, encoded, width):
    """PEFT's logits of the same sequences, padded on the right."""
    ids, types, mask = (torch.zeros(3, width, dtype=torch.long) for _ in range(3))
    for row in range(3):
        own = slice(encoded.starts[row], encoded.starts[row + 1])
        length = own.stop - own.start
        ids[row, :length] = torch.from_numpy(encoded.tokens[own].astype(np.int64))
        types[row, :length] = torch.from_numpy(encoded.types[own].astype(np.int64))
        mask[row, :length] = 1
    segments = {"token_type_ids": types} if "type_vocab_size" in model.get_base_model().config.to_dict() else {}
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, **segments), mask.bool()


def compare(model, config, other):
    """That the loaded prompt and PEFT's model give equal logits."""
    adapter, encoded, expected = ours(model, config)
    given, real = theirs(other, encoded, int(encoded.lengths.max()))
    task = adapter.head.peft_task
    if task == "QUESTION_ANS":
        got = torch.stack([given.start_logits, given.end_logits], dim=-1)[real]
        expected = expected[:, : real.shape[1]][real]
    elif task == "TOKEN_CLS":
        got, expected = given.logits[real], expected[:, : real.shape[1]][real]
    elif task == "CAUSAL_LM":
        text = given.logits[:, -real.shape[1] :]  # of input prompts the prompt's own stand before
        last = text[torch.arange(3), real.sum(1) - 1].log_softmax(-1)
        got, expected = last[:, adapter.head.ids[:, 0]], expected[..., 0]
    else:
        got = given.logits
    assert got.abs().max() > 1e-3
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


def loaded_by_peft(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    base = exchange.CLASSES[config["task_type"]].from_pretrained(config["base_model_name_or_path"])
    dropout.switch_off(base)
    return peft.PeftModel.from_pretrained(base, folder).eval()


@pytest.mark.parametrize("pair", PAIRS)
def test_a_prompt_of_ours_answers_in_peft_and_comes_back(pair, make_run, tmp_path):
    """And what PEFT saves again, with other weights in it, answers here."""
    *chosen, keys = PAIRS[pair]
    config, file = written(make_run, *chosen, **keys)
    model = ptuning.load(file, device="cpu")
    other = loaded_by_peft(model.save_peft(tmp_path / "ours"))
    compare(model, config, other)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            if "prompt_encoder" in name or "modules_to_save" in name:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
    other.save_pretrained(tmp_path / "theirs")
    back = exchange.save(exchange.read(tmp_path / "theirs"), config, tmp_path / "back")
    again = ptuning.load(back, device="cpu")
    assert not torch.equal(ours(again, config)[2], ours(model, config)[2])
    if pair == "span":  # PEFT's has a bias, which is the same at all tokens
        other.base_model.qa_outputs.modules_to_save["default"].bias.data.zero_()
    compare(again, config, other)


def test_one_that_peft_has_made_itself_is_read(make_run, tmp_path):
    """Its own classes, by the command's way: the overrides say what it is of."""
    _, file = written(make_run, "p_tuning_v2", "rte", "tiny_bert", **POOLED)
    folder = ptuning.load(file, device="cpu").save_peft(tmp_path / "ours")
    base = exchange.CLASSES["SEQ_CLS"].from_pretrained(folder / "base_model")
    made = peft.get_peft_model(base, peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=5)).eval()
    made.save_pretrained(tmp_path / "theirs")
    given = exchange.read(tmp_path / "theirs")
    chosen = ["backbone=tiny_bert", "backbone.pooler=trained", "runtime.device=cpu"]
    run = run_of(given, ["task=rte", *chosen])
    assert (run.method, run.prompt["length"], run.prompt["layers"]) == ("p_tuning_v2", 5, "all")
    with pytest.raises(InputError, match=r"prompt_embeddings is \[5, 256\] there, and \[4, 256\] in this run"):
        exchange.save(given, run_of(given, ["task=rte", *chosen, "prompt.length=4"]), tmp_path / "no")
    with pytest.raises(InputError, match=r"ask for 2 runs, and a prompt is of one"):
        run_of(given, ["task=rte,cb", *chosen])


def test_a_backbone_of_the_hub_is_named_and_not_written(make_run, tmp_path):
    _, file = written(make_run, "p_tuning_v2", "wnut17", "tiny_bert")
    model = ptuning.load(file, device="cpu")
    model._alone()[1].about.origin.update(kind="hub", id="owner/model", commit="abc")
    folder = model.save_peft(tmp_path / "given")
    assert {one.name for one in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    config = peft.PeftConfig.from_pretrained(folder)
    assert (config.base_model_name_or_path, config.revision) == ("owner/model", "abc")
    card = (folder / "README.md").read_text()
    assert "AutoModelForTokenClassification.from_pretrained('owner/model', revision='abc', num_labels=13)" in card


@pytest.mark.parametrize(
    ("method", "task", "backbone", "keys", "named"),
    [
        ("p_tuning_v2", "rte", "tiny_bert", POOLED | {"prompt__layers": "2-3"}, r"prompt\.layers=2-3"),
        ("p_tuning_v2", "rte", "tiny_bert", POOLED | {"prompt__placement": "infix"}, r"prompt\.placement=infix"),
        ("p_tuning_v2", "rte", "tiny_bert", POOLED | {"prompt__positions": "keep"}, r"prompt\.positions=keep"),
        ("p_tuning_v2", "rte", "tiny_bert", {}, r"backbone\.pooler=none"),
        ("p_tuning_v2", "rte", "tiny_deberta", {}, "a head of weights on model_type=deberta"),
        ("p_tuning_v2", "copa", "tiny_bert", POOLED, "head=choice"),
        ("prompt_tuning", "rte", "tiny_bert", POOLED, "an input prompt with a head that reads tokens"),
        ("prompt_tuning", "rte", "tiny_bert", SPEAKS, "a masked language model"),
        ("p_tuning_v2", "rte", "tiny_gpt2", {}, "a head of weights on model_type=gpt2"),
        ("prefix_tuning", "rte", "tiny_t5", SPEAKS, "an encoder-decoder"),
        ("dept", "rte", "tiny_gpt2", SPEAKS, "method=dept"),
    ],
)  # fmt: skip
def test_what_peft_has_not_is_refused_by_name(method, task, backbone, keys, named, make_run, tmp_path):
    _, file = written(make_run, method, task, backbone, **keys)
    with pytest.raises(InputError, match=f"^PEFT has no counterpart for {named}"):
        ptuning.load(file, device="cpu").save_peft(tmp_path / "given")
    assert not (tmp_path / "given").exists()


def test_what_is_no_prompt_of_peft_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no prompt that PEFT has saved .*adapter_config"):
        exchange.read(tmp_path)
