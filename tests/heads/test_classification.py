"""Where a text is read as a whole, in decoders and encoder-decoders."""

from itertools import pairwise

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from ptuning.training.forward import forward
from tests.conftest import make_backbone
from tests.training.test_lanes import lanes_of


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_t5", "tiny_bart"])
def test_it_reads_what_transformers_own_class_for_sequences_reads(make_run, name):
    backbone = make_backbone(name)
    run = make_run("fine_tuning", "cb", backbone__id=name, backbone__name=name)
    batch = lanes_of([run], backbone)[0].tasks[0].batch("dev")
    encoded, linear = batch.examples, batch.adapter.head.linear
    whole = AutoModelForSequenceClassification.from_config(backbone.model.config).eval()
    whole.load_state_dict(
        {f"{whole.base_model_prefix}.{key}": value for key, value in backbone.model.state_dict().items()}, strict=False
    )
    read = []
    last = whole.score if hasattr(whole, "score") else whole.classification_head
    last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    backbone.eval(), batch.adapter.eval()
    with torch.inference_mode(), forward(backbone, [batch]) as (logits,):
        for begin, end in pairwise(encoded.starts):
            whole(input_ids=torch.from_numpy(encoded.tokens[begin:end]).long()[None])
        states = [
            one[:, -1] if one.dim() == 3 else one for one in read
        ]  # decoders score all tokens, and take the last
        torch.testing.assert_close(logits, linear(torch.cat(states)), atol=1e-5, rtol=1e-4)
