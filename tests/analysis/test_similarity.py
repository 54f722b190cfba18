"""How alike prompts are: with themselves, in another order, and by the neurons of a model small enough to check."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import linear

from ptuning.analysis import neurons, similarity
from ptuning.errors import InputError
from tests.conftest import make_backbone

torch.manual_seed(0)
ONE, OTHER = torch.randn(5, 8), torch.randn(5, 8)
NONE_ACTIVATED = torch.zeros(2, 4, 3, dtype=torch.bool)


@pytest.mark.parametrize("name", [name for name in similarity.METRICS if not name.endswith("pairs")])
def test_a_prompt_is_alike_to_itself(name):
    found = similarity.similarities([ONE, OTHER], NONE_ACTIVATED)[name]
    assert found[0][0] == pytest.approx(1) == found[1][1]
    assert found[0][1] == pytest.approx(found[1][0])
    assert found[0][1] < 0.9


@pytest.mark.parametrize("name", [name for name in similarity.METRICS if not name.endswith("concatenated")])
def test_the_order_of_tokens_counts_only_where_they_are_concatenated(name):
    metric, shuffled = similarity.METRICS[name], ONE[[3, 0, 4, 1, 2]]
    assert metric(shuffled, OTHER) == pytest.approx(metric(ONE, OTHER).item(), abs=1e-6)
    whole = similarity.METRICS[name.partition("_")[0] + "_concatenated"]
    assert whole(shuffled, OTHER) != pytest.approx(whole(ONE, OTHER).item(), abs=1e-3)


def test_metrics_by_hand():
    one, other = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [2.0, 0.0]])
    found = {name: metric(one, other).item() for name, metric in similarity.METRICS.items()}
    near, far = 1.0, math.sqrt(5)  # of tokens that point one way, and of the others
    assert found == pytest.approx(
        {
            "cosine_concatenated": 0, "cosine_averaged": 1, "cosine_pairs": 0.5,
            "euclidean_concatenated": 1 / (1 + math.sqrt(10)), "euclidean_averaged": 1 / (1 + math.sqrt(0.5)),
            "euclidean_pairs": 1 / (1 + (near + far) / 2),
        }
    )  # fmt: skip


def test_scale_leaves_the_cosines_alone():
    for name, metric in similarity.METRICS.items():
        same = metric(3 * ONE, OTHER).item() == pytest.approx(metric(ONE, OTHER).item(), abs=1e-6)
        assert same == name.startswith("cosine"), name


def test_the_overlap_of_two_neurons_by_hand():
    """Both activated by the one, one of them by the other: what they share over the mean of what they have."""
    both, first, second = torch.tensor([[True, True]]), torch.tensor([[True, False]]), torch.tensor([[False, True]])
    assert similarity.neuron_overlap(both, first) == pytest.approx(1 / math.sqrt(2))
    assert similarity.neuron_overlap(first, second) == 0
    assert similarity.neuron_overlap(first, first) == 1


def test_layers_are_compared_three_at_a_time_and_together():
    assert similarity.layer_groups(7) == {
        "neurons_1-3": slice(0, 3), "neurons_4-6": slice(3, 6), "neurons_7-7": slice(6, 9), "neurons_all": slice(None),
    }  # fmt: skip
    assert list(similarity.layer_groups(3)) == ["neurons_all"]
    activated = torch.zeros(2, 4, 1, dtype=torch.bool)
    activated[0, :], activated[1, 3] = True, True
    found = similarity.similarities([ONE, OTHER], activated)
    assert [found[name][0][1] for name in ("neurons_1-3", "neurons_4-4", "neurons_all")] == pytest.approx([0, 1, 0.5])


def test_activated_neurons_of_a_two_neuron_model_by_hand():
    """One layer of two neurons: attention, then the sign of two dot products at the mask behind the prompt."""
    backbone = make_backbone("tiny_bert", num_hidden_layers=1, intermediate_size=2)
    layer = backbone.model.encoder.layer[0]
    _sharpen(backbone)
    prompts = torch.randn(6, 3, backbone.embedding)
    found = neurons.activated_neurons(backbone, prompts)
    with torch.no_grad():
        mask = backbone.model.get_input_embeddings().weight[backbone.tokenizer.mask_token_id]
        embeds = torch.cat([prompts, mask.expand(6, 1, -1)], dim=1)
        attended = layer.attention(backbone.model.embeddings(inputs_embeds=embeds))[0][:, -1]
        dots = linear(attended, layer.intermediate.dense.weight, layer.intermediate.dense.bias)
    assert found.shape == (6, 1, 2) and torch.equal(found[:, 0], dots > 0)
    assert found.any() and not found.all()


LAYERS = {"tiny_bert": 4, "tiny_distilbert": 4, "tiny_albert": 4, "tiny_t5": 3, "tiny_bart": 3, "tiny_gpt2": 4,
          "tiny_opt": 4, "tiny_llama": 4}  # fmt: skip


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_every_architecture_has_neurons_that_a_prompt_changes(name, layers):
    backbone = _sharpen(make_backbone(name))
    found = neurons.activated_neurons(backbone, torch.randn(2, 3, backbone.embedding))
    assert found.shape[:2] == (2, layers) and 0 < found.float().mean() < 1
    assert not torch.equal(found[0], found[1])


def _sharpen(backbone):
    """Weights so large that what enters a layer decides what comes out."""
    with torch.no_grad():
        for weight in backbone.model.parameters():
            weight.mul_(10 if weight.dim() > 1 else 1)
    return backbone


def test_the_gate_of_gated_units_decides():
    backbone = make_backbone("tiny_t5", feed_forward_proj="gated-gelu")
    with torch.no_grad():
        for block in backbone.model.get_decoder().block:
            block.layer[2].DenseReluDense.wi_1.weight.zero_()
    assert neurons.activated_neurons(backbone, torch.randn(2, 3, backbone.embedding)).any()


def test_a_family_whose_feed_forward_is_not_known_is_refused():
    backbone = make_backbone("tiny_modernbert")
    with pytest.raises(InputError, match=r"backbone family 'modernbert' has no"):
        neurons.activated_neurons(backbone, torch.randn(1, 2, backbone.embedding))
