"""What produces a prompt: as the papers have it, from the run's own random stream, with dropout that is the step's."""

import pytest
import torch
from torch import nn

from ptuning.config import parse
from ptuning.errors import InputError
from ptuning.prompts import reparameterizations
from ptuning.seeds import Streams
from ptuning.training.budget import Budget
from tests.conftest import LSTM, MLP, make_backbone
from tests.prompts.test_inits import made as made_init
from tests.training.test_lanes import lanes_of, trained

RESIDUAL = {"name": "residual_mlp", "hidden": 5, "shared": True, "layer_norm": True, "dropout": 0.0}
SUPERPOS = {"name": "superpos", "vectors": 7, "offsets": True}
RELU = {"name": "mlp", "hidden": None, "activation": "relu"}
LENGTH, WIDTH = 4, 6


def made(keys, init="torch_default", length=LENGTH, width=WIDTH, input_width=WIDTH, seed=1, start=None):
    kind = reparameterizations.load(keys["name"])
    config = parse(kind.Config, keys)
    return kind(config, length, width, input_width, start, made_init(init, make_backbone(), seed=seed))


def start(rows):
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(5))


def linear(layer):
    return layer.weight.detach(), layer.bias.detach()


def copied(layers, size, hidden):
    """torch's LSTM of many layers with the weights of `layers`, of one each."""
    whole = nn.LSTM(size, hidden, len(layers), bidirectional=True)
    state = {
        name.replace("_l0", f"_l{index}"): value
        for index, layer in enumerate(layers)
        for name, value in layer.state_dict().items()
    }
    whole.load_state_dict(state)
    return whole


def test_an_lstm_is_torchs_of_two_layers_and_a_relu_between_linear_ones():
    one = made(LSTM)
    whole = copied(one.lstms, WIDTH, WIDTH // 2)
    states, _ = whole(one.embedding[:, None])
    expected = nn.Sequential(one.hidden, nn.ReLU(), one.output)(states[:, 0])
    torch.testing.assert_close(one(), expected)
    assert [tuple(layer.weight.shape) for layer in (one.hidden, one.output)] == [(WIDTH, WIDTH), (WIDTH, WIDTH)]
    wide = made(LSTM | {"layers": 3, "hidden": 5})
    torch.testing.assert_close(
        wide(),
        wide.output(wide.hidden(copied(wide.lstms, WIDTH, 5)(wide.embedding)[0]).relu()),
    )


def test_half_of_an_odd_width_is_refused():
    with pytest.raises(InputError, match=r"hidden=null is refused: half of this backbone's 7 numbers a token"):
        made(LSTM, input_width=7)
    assert made(LSTM | {"hidden": 3}, input_width=7)().shape == (LENGTH, WIDTH)


@pytest.mark.parametrize("layers", [2, 3])
def test_an_mlp_has_so_many_layers_with_relu_between(layers):
    one = made(RELU | {"layers": layers})
    states = one.embedding
    for layer in one.hidden:
        states = layer(states).relu()
    assert len(one.hidden) == layers - 1
    torch.testing.assert_close(one(), one.output(states))


def test_weights_are_drawn_from_the_init_and_from_nothing_else():
    for keys in (LSTM, MLP, RELU):
        (one, same), other = (made(keys) for _ in range(2)), made(keys, seed=2)
        for name, value in one.state_dict().items():
            assert torch.equal(value, same.state_dict()[name]), name
            assert not torch.equal(value, other.state_dict()[name]), name
    default, normal = made(RELU, width=400, input_width=100), made(RELU, "normal", width=400, input_width=100)
    for value in linear(default.output):
        assert 0.09 < value.abs().max() <= 0.1  # 1 / sqrt(100)
    weight, bias = linear(normal.output)
    assert abs(weight.std() - 0.02) < 1e-3 and not bias.any()
    assert abs(made(LSTM, input_width=100).lstms[1].weight_hh_l0.std() - (1 / 3 / 50) ** 0.5) < 0.01


@pytest.mark.parametrize("shared", [True, False])
def test_a_residual_mlp_is_a_bottleneck_beside_the_prompt(shared):
    """Worked out with torch's own layers, row by row; rows that share an MLP share its weights."""
    one = made(RESIDUAL | {"shared": shared}, start=start)
    for row, produced in enumerate(one()):
        which = 0 if shared else row
        down, up, norm = nn.Linear(WIDTH, 5), nn.Linear(5, WIDTH), nn.LayerNorm(WIDTH)
        with torch.no_grad():
            down.weight.copy_(one.down[which].T), down.bias.copy_(one.down_bias[which, 0])
            up.weight.copy_(one.up[which].T), up.bias.copy_(one.up_bias[which, 0])
            assert torch.equal(one.prompt, start(LENGTH))
            torch.testing.assert_close(produced, one.prompt[row] + norm(up(down(one.prompt[row]).relu())))
            plain = made(RESIDUAL | {"shared": shared, "layer_norm": False}, start=start)
            torch.testing.assert_close(plain()[row], one.prompt[row] + up(down(one.prompt[row]).relu()))
    assert one.down.shape[0] == one.norm[0].shape[0] == (1 if shared else LENGTH)
    assert 0.3 < one.down.abs().max() <= WIDTH**-0.5


@pytest.mark.parametrize("offsets", [True, False])
def test_superposed_rows_are_weighted_sums_of_vectors(offsets):
    one = made(SUPERPOS | {"offsets": offsets}, start=start)
    torch.testing.assert_close(one(), start(7)[:LENGTH])  # at first each is one of them
    learned = dict(one.named_parameters())
    assert list(learned) == (["weights", "offsets"] if offsets else ["weights"]) and list(one.state_dict()) == list(
        learned
    )
    torch.nn.init.normal_(one.weights)
    if offsets:
        torch.nn.init.normal_(one.offsets)
    for row, produced in enumerate(one()):
        vectors = start(7) + (one.offsets[row] if offsets else 0)
        torch.testing.assert_close(produced, sum(w * v for w, v in zip(one.weights[row], vectors, strict=True)))


def test_what_cannot_be_superposed_is_refused():
    with pytest.raises(InputError, match=r"vectors=3 is less than prompt.length=4"):
        made(SUPERPOS | {"vectors": 3}, start=start)
    with pytest.raises(InputError, match=r"offsets=false is refused with an init that gives zeros"):
        made(SUPERPOS | {"offsets": False}, start=lambda rows: torch.zeros(rows, WIDTH))
    made(SUPERPOS, start=lambda rows: torch.zeros(rows, WIDTH))


def test_superposed_words_are_sampled_and_stay_as_they_are(make_run):
    init = {"name": "vocabulary", "most_frequent": 50}
    backbone = make_backbone()
    ((lane,), _) = trained([make_run("prompt_tuning", prompt__reparameterization=SUPERPOS, prompt__init=init)])
    produced = lane.adapter.method.reparameterization
    words = backbone.model.get_input_embeddings().weight
    assert torch.cdist(produced.vectors, words).min(dim=1).values.max() < 1e-4
    assert (torch.cdist(produced(), words).min(dim=1).values > 1e-4).all()


@pytest.mark.parametrize("name", ["lstm", "mlp", "residual_mlp"])
def test_dropout_within_is_of_the_step_and_scales_what_stays(name):
    keys = {"lstm": LSTM, "mlp": MLP, "residual_mlp": RESIDUAL | {"layer_norm": False}}[name] | {"dropout": 0.5}
    one = made(keys, start=start)
    streams, again = Streams(1), Streams(1)
    first, second = (one.dropout_mask(streams, step) for step in (1, 2))
    assert torch.equal(first, one.dropout_mask(again, 1)) and not torch.equal(first, second)
    assert LENGTH in first.shape
    assert not torch.equal(one(first), one()) and torch.equal(one(first), one(first))
    everything = torch.ones_like(first)
    plain = made(keys | {"dropout": 0.0}, start=start)
    plain.load_state_dict(one.state_dict())
    assert plain.dropout_mask(streams, 3) is None
    assert not torch.equal(one(everything), plain()), "scaled by 1 / (1 - rate)"


@pytest.mark.parametrize("method", ["p_tuning", "p_tuning_v2"])
@pytest.mark.parametrize("keys", [LSTM, MLP, RESIDUAL], ids=["lstm", "mlp", "residual_mlp"])
def test_dropout_within_does_not_depend_on_passes_or_on_lanes(make_run, method, keys):
    """A step's batch that is cut into passes drops the same as one that is whole, beside another run or not."""
    dropping = keys | {"dropout": 0.3}
    config = make_run(method, prompt__reparameterization=dropping, prompt__dropout=0.2, train__batching="shuffled")
    other = make_run("p_tuning_v2", seed=3, prompt__length=5)
    (alone,), _ = trained([config])
    (beside, _), _ = trained([config, other])
    (cut,), _ = trained([config], Budget(40))
    (kept,), _ = trained([make_run(method, prompt__reparameterization=keys, prompt__dropout=0.2)])
    for lane in (beside, cut):
        assert [e.loss for e in lane.history] == pytest.approx([e.loss for e in alone.history], rel=2e-4)
    assert abs(kept.history[-1].loss - alone.history[-1].loss) > 1e-5


def test_a_prompt_encoder_is_dropped_after_training(make_run):
    (lane,) = lanes_of([make_run("p_tuning")], make_backbone())
    assert list(lane.adapter.method.folded()) == ["prompt"]
    assert lane.adapter.method.folded()["prompt"].shape == (3, 32)
