"""Input prompts against PEFT as an oracle: with its weights, its outputs and its gradients.

Not its classes for classification: behind BERT its pooler reads a virtual token, where ours reads [CLS].
"""

import numpy as np
import pytest
import torch
from peft import PromptEncoderConfig, PromptTuningConfig, TaskType, get_peft_model
from transformers import AutoModel

from ptuning.backbones import dropout, tiny
from ptuning.prompts.placement import collate, table
from tests.backbones.test_generation import with_lm_head
from tests.conftest import LSTM, NONE, make_backbone
from tests.training.test_lanes import lanes_of

LENGTH, HIDDEN = 3, 12
DECODERS = ["tiny_gpt2", "tiny_llama"]
MLP_OF_PEFT = {"name": "mlp", "hidden": HIDDEN, "layers": 3, "activation": "relu", "dropout": 0.0}
ENCODERS_OF_PEFT = {"MLP": MLP_OF_PEFT, "LSTM": LSTM | {"hidden": HIDDEN}}


def oracle(name, config, **keys):
    """PEFT's model around one that has the weights of `make_backbone`."""
    task = TaskType.CAUSAL_LM if name in DECODERS else TaskType.FEATURE_EXTRACTION
    kind = make_backbone(name).network.language_model if name in DECODERS else AutoModel
    model, _ = tiny.build(name, 0.0, "sdpa", kind)
    dropout.switch_off(model)
    return get_peft_model(model, config(task_type=task, num_virtual_tokens=LENGTH, **keys)).eval()


def ours(make_run, name, reparameterization):
    backbone = with_lm_head(name) if name in DECODERS else make_backbone(name)
    config = make_run("p_tuning", backbone__id=name, prompt__reparameterization=reparameterization)
    (lane,) = lanes_of([config], backbone)
    return backbone, lane


def outputs(backbone, lane, batch):
    """What the backbone gives for a batch with the prompt in place, `[B, P + T, …]`, by the method itself."""
    embeds, types = lane.adapter.method.embed(backbone, batch, backbone.embed_tokens(batch))
    with backbone.attending({}):
        hidden = backbone(embeds, types * 0, batch)
    return hidden if backbone.lm_head is None else backbone.logits(hidden)


def batch_of(backbone, lane):
    """Two dev examples of unlike length, padded, their prompts in place."""
    dev = lane.tasks[0].dataset.dev
    rows = np.array([int(dev.lengths.argmin()), int(dev.lengths.argmax())])
    width = int(dev.lengths[rows].max()) + LENGTH
    made = table(dev, rows, lane.adapter.layout, width, backbone.pad, backbone.first_position)
    return collate([made], backbone.device)


def compare(make_run, name, peft, reparameterization, copy):
    backbone, lane = ours(make_run, name, reparameterization)
    produced = lane.adapter.method.reparameterization
    pairs = copy(peft.prompt_encoder.default, produced)
    with torch.no_grad():
        for theirs, mine in pairs:
            mine.copy_(theirs)
    batch = batch_of(backbone, lane)
    text = {"input_ids": batch.input_ids[:, LENGTH:], "attention_mask": batch.attention_mask[:, LENGTH:]}
    got, given = outputs(backbone, lane, batch), peft(**text)
    expected = given.logits if name in DECODERS else given.last_hidden_state
    real = batch.attention_mask.bool()
    torch.testing.assert_close(got[real], expected[real], atol=2e-6, rtol=1e-5)
    weights = torch.randn(got[real].shape, generator=torch.Generator().manual_seed(1))
    (got[real] * weights).sum().backward()
    (expected[real] * weights).sum().backward()
    for theirs, mine in pairs:
        assert theirs.grad.abs().max() > 0
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny_bert", *DECODERS])
def test_prompt_tuning_agrees_with_peft(make_run, name):
    peft = oracle(name, PromptTuningConfig)
    compare(make_run, name, peft, NONE, lambda theirs, mine: [(theirs.embedding.weight, mine.prompt)])


@pytest.mark.parametrize("kind", ENCODERS_OF_PEFT)
@pytest.mark.parametrize("name", ["tiny_bert", *DECODERS])
def test_p_tuning_agrees_with_peft(make_run, name, kind):
    peft = oracle(name, PromptEncoderConfig, encoder_reparameterization_type=kind, encoder_hidden_size=HIDDEN)
    compare(make_run, name, peft, ENCODERS_OF_PEFT[kind], {"MLP": of_mlp, "LSTM": of_lstm}[kind])


def of_mlp(theirs, mine):
    layers = zip(theirs.mlp_head[::2], [*mine.hidden, mine.output], strict=True)
    return [(theirs.embedding.weight, mine.embedding), *of_linears(layers)]


def of_lstm(theirs, mine):
    state = dict(theirs.lstm_head.named_parameters())
    lstms = [
        (state[name.replace("_l0", f"_l{index}")], parameter)
        for index, lstm in enumerate(mine.lstms)
        for name, parameter in lstm.named_parameters()
    ]
    assert len(lstms) == len(state)
    layers = zip(theirs.mlp_head[::2], [mine.hidden, mine.output], strict=True)
    return [(theirs.embedding.weight, mine.embedding), *lstms, *of_linears(layers)]


def of_linears(layers):
    return [pair for one, other in layers for pair in ((one.weight, other.weight), (one.bias, other.bias))]
