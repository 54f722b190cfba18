"""Families with an attention of their own: the stock class without a prompt, and arithmetic by hand with one."""

import math

import pytest
import torch
from torch.nn import functional
from transformers import AutoModel, MegatronBertConfig

from ptuning import registry
from ptuning.backbones import load, sites, tiny
from ptuning.backbones.encoder import Encoder
from ptuning.backbones.forward_pass import CurrentPass
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Batch
from tests.backbones.test_attention import masked_out
from tests.conftest import make_backbone

NAMES = ["tiny_deberta", "tiny_deberta_v2", "tiny_mpnet"]
FIRST = SiteKey("encoder", 1)
TOKENS, LENGTH, HEADS, SIZE = 30, 3, 4, 8  # more tokens than DeBERTa v2 has buckets


def batch_of(backbone, tokens=TOKENS):
    """One row without padding, one whose last five tokens are padding."""
    ids = torch.arange(5, 5 + 2 * tokens).view(2, -1)
    positions = torch.arange(tokens).expand(2, -1) + backbone.first_position
    seen = torch.ones_like(ids)
    seen[1, -5:] = 0
    return Batch(ids, ids * 0, positions, seen, ids * 0 - 1, ids[:, 0] * 0)


def passed(backbone, batch, prompts):
    with backbone.attending(prompts):
        return plain(backbone, batch)


def plain(backbone, batch):
    return backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)


def drawn_prompts(layers=4, seed=0):
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randn(layers, 2, 1, HEADS, LENGTH, SIZE, generator=random)
    return {SiteKey("encoder", i): SitePrompt(*layer) for i, layer in enumerate(drawn, start=1)}


def test_families_are_found_by_their_file_name():
    assert registry.names("ptuning.backbones.families") == ["deberta", "deberta_v2", "mpnet"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_prompt_the_output_is_the_stock_classs_to_the_bit(name, attention):
    stock, _ = tiny.build(name, attention_probs_dropout_prob=0.0)
    backbone = make_backbone(name, attention)
    batch = batch_of(backbone)
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    got = plain(backbone, batch)
    assert torch.equal(got, stock.eval()(**inputs).last_hidden_state)
    assert (passed(backbone, batch, drawn_prompts()) - got).abs().max() > 1e-2
    assert torch.equal(plain(backbone, batch), got)


def heads_of(linear, states):
    """A projection's output, `[A, rows, D]`."""
    return linear(states).view(len(states), HEADS, SIZE).transpose(0, 1)


def attended(query, key, value, bias, prompt, closed, scaling):
    """Softmax over the prompt's columns, without bias, and the tokens', one token and head at a time: `[T, A D]`."""
    out = torch.zeros(TOKENS, HEADS, SIZE)
    for head in range(HEADS):
        for i in range(TOKENS):
            scores = [query[head, i] @ prompt.key[0, head, p] * scaling for p in range(LENGTH)]
            scores += [query[head, i] @ key[head, j] * scaling + bias[head, i, j] for j in range(TOKENS)]
            shares = torch.stack(scores).masked_fill(closed, -math.inf).softmax(0)
            out[i, head] = shares @ torch.cat([prompt.value[0, head], value[head]])
    return out.view(TOKENS, -1)


def deberta_by_hand(backbone, hidden):
    """Of DeBERTa v1's first layer: query, key and value, whose projections lie head by head in one; the embedding of
    each index; the index of a distance; what makes a key and a query of such an embedding."""
    module, encoder = backbone.sites[FIRST].attention, backbone.model.encoder
    query, key, value = module.in_proj(hidden).view(TOKENS, HEADS, 3, SIZE).permute(2, 1, 0, 3)
    query = query + module.q_bias.view(HEADS, 1, SIZE)
    value = value + module.v_bias.view(HEADS, 1, SIZE)
    middle = len(encoder.rel_embeddings.weight) // 2
    places = {d: encoder.rel_embeddings.weight[d + middle][None] for d in range(-middle, middle)}
    return query, key, value, places, lambda d: min(max(d, -middle), middle - 1), module.pos_proj, module.pos_q_proj


def bucket(distance):
    """DeBERTa v2's: exact up to half of the 16 buckets, then logarithmic up to 160."""
    if abs(distance) <= 8:
        return distance
    return int(math.copysign(math.ceil(math.log(abs(distance) / 8) / math.log(159 / 8) * 7) + 8, distance))


def deberta_v2_by_hand(backbone, hidden):
    """As v1, positions through the content's own projections, after a LayerNorm."""
    module, encoder = backbone.sites[FIRST].attention, backbone.model.encoder
    query, key, value = (heads_of(one, hidden) for one in (module.query_proj, module.key_proj, module.value_proj))
    table = encoder.LayerNorm(encoder.rel_embeddings.weight)
    places = {d: table[d + 16][None] for d in range(-16, 16)}
    return query, key, value, places, bucket, module.key_proj, module.query_proj


def prompted_first_layer(backbone, batch):
    """What the first layer's attention gives of row 1, `[T, A D]`, by the model's own forward pass."""
    found = []
    hook = backbone.sites[FIRST].attention.register_forward_hook(lambda _m, _i, out: found.append(out[0]))
    passed(backbone, batch, {FIRST: drawn_prompts()[FIRST]})
    hook.remove()
    return found[0][1]


def entering(backbone, batch):
    """The hidden states that enter the first layer, row 1, `[T, H]`."""
    found = []
    hook = backbone.model.encoder.layer[0].register_forward_pre_hook(lambda _m, inputs: found.append(inputs[0]))
    plain(backbone, batch)
    hook.remove()
    return found[0][1]


@pytest.mark.parametrize(
    ("name", "by_hand", "shape"),
    [
        ("tiny_deberta", deberta_by_hand, {}),
        ("tiny_deberta", deberta_by_hand, {"max_relative_positions": 20}),  # farther tokens count as 20 apart
        ("tiny_deberta_v2", deberta_v2_by_hand, {}),
    ],
)
def test_deberta_scores_are_three_terms_and_a_prompts_only_one(name, by_hand, shape):
    """Content to content, content to position, position to content, each over the square root of 3 D."""
    backbone = make_backbone(name, **shape)
    with torch.no_grad():
        for parameter in backbone.parameters():  # random biases too, which are 0 in a new model
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
        batch = batch_of(backbone)
        hidden = entering(backbone, batch)
        query, key, value, places, index, to_key, to_query = by_hand(backbone, hidden)
        scaling = 1 / math.sqrt(3 * SIZE)
        bias = torch.zeros(HEADS, TOKENS, TOKENS)
        for i in range(TOKENS):
            for j in range(TOKENS):
                place = places[index(i - j)]
                bias[:, i, j] += (query[:, i] * heads_of(to_key, place)[:, 0]).sum(-1) * scaling
                bias[:, i, j] += (key[:, j] * heads_of(to_query, place)[:, 0]).sum(-1) * scaling
        closed = torch.cat([torch.zeros(LENGTH, dtype=torch.bool), batch.attention_mask[1] == 0])
        expected = attended(query, key, value, bias, drawn_prompts()[FIRST], closed, scaling)
        got = prompted_first_layer(backbone, batch)
    real = batch.attention_mask[1].bool()
    torch.testing.assert_close(got[real], expected[real], atol=1e-5, rtol=1e-4)


def mpnet_bucket(distance):
    """Of key minus query: half of the 32 buckets a direction, exact below 8, then logarithmic up to 128."""
    far = abs(distance)
    near = far if far < 8 else min(15, 8 + int(math.log(far / 8) / math.log(128 / 8) * 8))
    return near + (16 if distance > 0 else 0)


def test_mpnet_adds_its_distance_bias_to_tokens_and_none_to_a_prompt():
    backbone = make_backbone("tiny_mpnet")
    module = backbone.sites[FIRST].attention
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
        batch = batch_of(backbone)
        hidden = entering(backbone, batch)
        query, key, value = (heads_of(one, hidden) for one in (module.q, module.k, module.v))
        table = backbone.model.encoder.relative_attention_bias.weight
        bias = torch.stack([
            torch.stack([table[mpnet_bucket(j - i)] for j in range(TOKENS)]) for i in range(TOKENS)
        ]).permute(2, 0, 1)  # fmt: skip
        closed = torch.cat([torch.zeros(LENGTH, dtype=torch.bool), batch.attention_mask[1] == 0])
        out = attended(query, key, value, bias, drawn_prompts()[FIRST], closed, 1 / math.sqrt(SIZE))
        got = prompted_first_layer(backbone, batch)
    torch.testing.assert_close(got, functional.linear(out, module.o.weight, module.o.bias), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny_deberta", "tiny_deberta_v2"])
def test_without_absolute_positions_a_shift_is_nothing(name):
    backbone = make_backbone(name)
    batch = batch_of(backbone)
    shifted = Batch(**vars(batch) | {"position_ids": batch.position_ids + LENGTH})
    prompts = drawn_prompts()
    assert torch.equal(passed(backbone, batch, prompts), passed(backbone, shifted, prompts))
    absolute = make_backbone(name, position_biased_input=True)
    assert not torch.equal(passed(absolute, batch, prompts), passed(absolute, shifted, prompts))


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
@pytest.mark.parametrize("kinds", [[], ["c2p"], ["p2c"]], ids=["content", "c2p", "p2c"])
@pytest.mark.parametrize("name", ["tiny_deberta", "tiny_deberta_v2"])
def test_debertas_other_switches_take_prompts_too(name, kinds, relative):
    """A prompt that nobody sees leaves the stock class's output; positions with projections of their own in v2."""
    shape = {"pos_att_type": kinds, "relative_attention": relative, "position_biased_input": not relative}
    if name == "tiny_deberta_v2":
        shape["share_att_key"] = False
    backbone = make_backbone(name, **shape)
    batch = batch_of(backbone)
    hide = torch.zeros(2, LENGTH, dtype=torch.bool)
    hidden = passed(backbone, batch, masked_out(drawn_prompts(), hide))
    real = batch.attention_mask.bool()
    torch.testing.assert_close(hidden[real], plain(backbone, batch)[real], atol=2e-6, rtol=1e-5)
    assert backbone.runs_from_layer and backbone.runs_single_query


def test_a_convolution_after_the_first_layer_forbids_entering_at_a_later_one():
    """DeBERTa v2-xlarge and v2-xxlarge."""
    backbone = make_backbone("tiny_deberta_v2", conv_kernel_size=3)
    assert not backbone.runs_from_layer
    assert backbone.runs_single_query
    batch = batch_of(backbone)
    assert (passed(backbone, batch, drawn_prompts()) - plain(backbone, batch)).abs().max() > 1e-2


def test_talking_heads_are_refused():
    with pytest.raises(InputError, match="talking_head=true"):
        make_backbone("tiny_deberta", talking_head=True)


@pytest.mark.parametrize("name", NAMES)
def test_an_attention_that_reaches_its_prompt_by_neither_way_is_refused(name):
    """The stock class of a family whose file was not asked."""
    model, _ = tiny.build(name)
    with pytest.raises(InputError, match="0 of its 4 layers call"):
        sites.find(Encoder(model), 4, CurrentPass())


@pytest.fixture
def folder(tmp_path):
    def save(model, tokenizer):
        model.save_pretrained(tmp_path / "mine")
        tokenizer.save_pretrained(tmp_path / "mine")
        return BackboneConfig(name="mine", source="hub", id=str(tmp_path / "mine"), pooler="none")

    return save


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_loads_with_either_attention_and_without_its_dropout(make_run, folder, name, attention):
    """Train mode draws nothing at random; a rate that is asked for is the hidden states', and is drawn."""
    config, train = folder(*tiny.build(name, 0.3)), make_run().train
    backbone = load.load(config, train, attention).train()
    batch = batch_of(backbone)
    out = [passed(backbone, batch, drawn_prompts()) for _ in range(2)]
    assert torch.equal(*out)
    torch.testing.assert_close(out[0], passed(backbone.eval(), batch, drawn_prompts()), atol=1e-6, rtol=1e-5)
    noisy = load.load(config, train.model_copy(update={"backbone_dropout": 0.1}), attention).train()
    assert not torch.equal(*(passed(noisy, batch, drawn_prompts()) for _ in range(2)))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_checkpoint_of_an_unreached_family_is_refused_as_such(make_run, folder, attention):
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    model = AutoModel.from_config(MegatronBertConfig(vocab_size=1544, **shape))
    config = folder(model, tiny.build("tiny_bert")[1])
    with pytest.raises(InputError, match="'megatron-bert' cannot take deep prompts"):
        load.load(config, make_run().train, attention).sites_of([1, 2])


@pytest.mark.parametrize("name", NAMES)
def test_attention_dropout_falls_on_a_prompts_share_too(name):
    """Weights of 1 / (1 - p) or none: with values of one, a token's context is no longer one."""
    backbone = make_backbone(name).train()
    batch = batch_of(backbone)
    prompts = drawn_prompts()
    calm = passed(backbone, batch, prompts)
    for site in backbone.sites.values():
        site.attention.dropout.p = 0.5
    assert not torch.equal(passed(backbone, batch, prompts), calm)
    torch.testing.assert_close(passed(backbone.eval(), batch, prompts), calm, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["tiny_deberta_v2", "tiny_mpnet"])
def test_gradients_agree_with_differences(name):
    """DeBERTa's bias depends on queries, so on the prompts below. (v1's LayerNorm computes in float32, too coarse.)"""
    backbone = make_backbone(name).double()
    batch = batch_of(backbone, tokens=6)
    prompts = {site: SitePrompt(p.key.double(), p.value.double()) for site, p in drawn_prompts().items()}
    key = prompts[FIRST].key.clone().requires_grad_()

    def total(first):
        return passed(backbone, batch, prompts | {FIRST: SitePrompt(first, prompts[FIRST].value)})[:, 0].sin().sum()

    total(key).backward()
    step = torch.zeros_like(key)
    step[0, 1, 2, 3] = 1e-5
    with torch.no_grad():
        slope = (total(key + step) - total(key - step)) / 2e-5
    torch.testing.assert_close(key.grad[0, 1, 2, 3], slope, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_modernbert"])
def test_rotary_frequencies_are_not_rounded(name):
    """bfloat16 would turn a token at position 500 by a tenth of a radian too much."""
    backbone = make_backbone(name)
    frequencies = {key: value.clone() for key, value in backbone.model.named_buffers() if "inv_freq" in key}
    assert frequencies
    backbone.cast_frozen(torch.bfloat16)
    buffers = dict(backbone.model.named_buffers())
    assert all(torch.equal(buffers[key], value) for key, value in frequencies.items())
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.bfloat16}


def test_what_overflows_in_half_precision_stays_in_single():
    """As transformers loads T5: the outputs of its feed-forward layers."""
    backbone = make_backbone("tiny_t5")
    backbone.cast_frozen(torch.float16)
    kinds = {key.split(".")[-2] == "wo": p.dtype for key, p in backbone.model.named_parameters()}
    assert kinds == {True: torch.float32, False: torch.float16}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_stays_close(name, dtype):
    """Also with a prompt that no row sees, where padding tokens see nothing at all."""
    backbone = make_backbone(name)
    batch, prompts = batch_of(backbone), drawn_prompts()
    hide = torch.zeros(2, LENGTH, dtype=torch.bool)
    hidden = masked_out(prompts, hide)
    real = batch.attention_mask.bool()
    whole = [passed(backbone, batch, given)[real] for given in (prompts, hidden)]
    backbone.cast_frozen(dtype)
    for given, expected in zip((prompts, hidden), whole, strict=True):
        got = passed(backbone, batch, given)[real]
        torch.testing.assert_close(got.float(), expected, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_fine_tuning_in_half_precision_stays_close(name, dtype):
    """Weights in float32, computing in half precision, without a prompt: the stock class's own path, or ours."""
    backbone = make_backbone(name)
    batch = batch_of(backbone)
    real = batch.attention_mask.bool()
    expected = plain(backbone, batch)[real]
    backbone.unfreeze(dtype)
    got = plain(backbone, batch)[real]
    torch.testing.assert_close(got.float(), expected, atol=0.1, rtol=0.1)
    got.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in backbone.model.parameters() if p.grad is not None)
