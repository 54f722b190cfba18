"""Decoders and encoder-decoders, and encoders built otherwise than BERT: what a deep prompt is to each of them."""

import numpy as np
import pytest
import torch
from transformers import AutoModel, EuroBertConfig, MobileBertConfig

from ptuning.backbones import load, tiny
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Layout
from ptuning.run import prepare_backbone, run
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.forward import forward
from ptuning.training.loop import step
from tests.backbones.test_attention import masked_out, plain, rows
from tests.backbones.test_generation import DECODERS, SEQ2SEQ, batch_of
from tests.conftest import ENCODERS, make_backbone
from tests.training.test_lanes import lanes_of

LENGTH = 3
OTHERS = [name for name in tiny.FAMILIES if name not in ENCODERS and name != "tiny_albert"]
DEEP = [*ENCODERS, *OTHERS]


def drawn(backbone, sites):
    random = torch.Generator().manual_seed(1)
    return {
        site.key: torch.randn(2, 1, site.kv_heads, LENGTH, site.head_dim, generator=random).requires_grad_()
        for site in sites
    }


def own_sites(backbone):
    """Of the stack that heads read."""
    return backbone.sites_of(range(1, backbone.layers + 1))


def prompts_of(values):
    return {key: SitePrompt(*pair) for key, pair in values.items()}


def test_each_family_is_of_its_architecture():
    found = {name: make_backbone(name).architecture for name in tiny.FAMILIES}
    assert [name for name, one in found.items() if one == "decoder"] == DECODERS
    assert [name for name, one in found.items() if one == "encoder_decoder"] == SEQ2SEQ


def test_shapes_are_those_of_the_pass_not_of_the_config():
    """Key/value heads that query heads share, a head size of its own, layers narrower than the model."""
    shapes = {name: own_sites(make_backbone(name))[0] for name in ("tiny_llama", "tiny_qwen3")}
    assert [(site.kv_heads, site.head_dim) for site in shapes.values()] == [(2, 8), (2, 16)]
    stacks = {key: (site.kv_heads, site.head_dim) for key, site in make_backbone("tiny_t5", d_kv=4).sites.items()}
    expected = {"encoder": 4, "decoder": 3, "cross": 3}
    assert stacks == {SiteKey(stack, i): (4, 4) for stack, n in expected.items() for i in range(1, n + 1)}
    projected = make_backbone("tiny_opt", word_embed_proj_dim=16)
    assert (projected.embedding, projected.hidden, projected.runs_from_layer) == (16, 16, True)


@pytest.mark.parametrize(
    ("family", "shape", "site"),
    [
        (EuroBertConfig, {"num_key_value_heads": 2, "head_dim": 16}, (2, 16)),
        (
            MobileBertConfig,
            {"embedding_size": 32, "hidden_size": 64, "intra_bottleneck_size": 32, "true_hidden_size": 32},
            (4, 8),
        ),
    ],
)
def test_layers_narrower_than_the_model_take_deep_prompts(make_run, tmp_path, family, shape, site):
    """Fewer key/value heads than query heads; a bottleneck before each attention."""
    settings = tiny._SHAPE | {"num_hidden_layers": 2, "pad_token_id": 0} | shape
    AutoModel.from_config(family(**settings)).save_pretrained(tmp_path / "model")
    tiny.build("tiny_bert")[1].save_pretrained(tmp_path / "model")
    keys = {"backbone__source": "hub", "backbone__id": str(tmp_path / "model"), "backbone__name": "mine"}
    config = make_run("p_tuning_v2", **keys, prompt__layers="2", train__epochs=1)
    sites = own_sites(prepare_backbone(Run.parse(config)))
    assert [(one.kv_heads, one.head_dim) for one in sites] == [site] * 2
    (record,) = run([config])
    assert record["status"] == "finished"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", OTHERS)
def test_a_masked_prompt_equals_the_plain_backbone(name, attention):
    backbone = make_backbone(name, attention)
    batch = rows(backbone, Layout(0, LENGTH))
    real = batch.attention_mask.bool()
    prompts = prompts_of(drawn(backbone, own_sites(backbone)))
    expected = plain(backbone, batch)
    with backbone.attending(masked_out(prompts, torch.zeros(2, LENGTH, dtype=torch.bool))):
        torch.testing.assert_close(plain(backbone, batch)[real], expected[real], atol=1e-6, rtol=1e-5)
    with backbone.attending(prompts):
        assert (plain(backbone, batch) - expected)[real].abs().max() > 1e-2
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    if name == "tiny_electra":
        inputs["token_type_ids"] = batch.token_type_ids
    stock = backbone.network.body(**inputs).last_hidden_state
    torch.testing.assert_close(expected[real], stock[real], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_agrees_with_keys_and_values_in_a_cache(name):
    """transformers' own way to keys and values that nobody computed: hidden states and gradients."""
    from transformers import DynamicCache

    backbone = make_backbone(name)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "shift"))
    real = batch.attention_mask.bool()
    values = drawn(backbone, own_sites(backbone))
    with backbone.attending(prompts_of(values)):
        ours = plain(backbone, batch)[real]
    cache = DynamicCache()
    for index, pair in enumerate(values.values()):
        cache.update(*(one.expand(2, -1, -1, -1) for one in pair), index)
    mask = torch.cat([torch.ones(2, LENGTH, dtype=torch.long), batch.attention_mask], dim=1)
    theirs = backbone.model(
        input_ids=batch.input_ids, attention_mask=mask, position_ids=batch.position_ids, past_key_values=cache
    ).last_hidden_state[real]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
    leaves = list(values.values())
    gradients = [torch.autograd.grad((one * weights).sum(), leaves) for one in (ours, theirs)]
    for one, other in zip(*gradients, strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_tokens_before_an_infix_prompt_do_not_see_it(name):
    backbone = make_backbone(name)
    batch = batch_of(backbone, [[5, 6, 7, 8, 9, 10], [11, 12, 13]])
    first_query = torch.tensor([[4] * LENGTH, [1, 2, 2]])  # a template's vectors may stand apart
    expected = plain(backbone, batch)
    with backbone.attending(prompts_of(drawn(backbone, own_sites(backbone))), None, first_query):
        changed = (plain(backbone, batch) - expected).abs().amax(dim=-1) > 1e-4
    assert changed[0].tolist() == [False] * 4 + [True] * 2
    assert changed[1, :3].tolist() == [False, True, True]


@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("method", ["prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize("name", DECODERS)
def test_classification_reads_the_last_token_which_sees_the_whole_prompt(make_run, name, method, placement):
    """One text without a separator behind it: an infix prompt stands before the last token, and trains."""
    backbone = make_backbone(name)
    (lane,) = lanes_of([make_run(method, "wic", prompt__placement=placement)], backbone)
    dev = lane.tasks[0].dataset.dev
    assert dev.reads[:, 0].tolist() == (dev.lengths - 1).tolist()
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    before = lane.adapter.method.reparameterization.prompt.detach().clone()
    step(backbone, [(lane, next(lane.batches()).with_dropout(lane.steps_done))], Budget(4096))
    assert (lane.adapter.method.reparameterization.prompt != before).all()
    part = AdapterBatch(lane.adapter, dev, np.arange(3))
    read = []
    lane.adapter.head.register_forward_pre_hook(lambda _head, inputs: read.append(inputs[0]))
    states = []
    backbone.model.register_forward_hook(lambda _m, _i, output: states.append(output.last_hidden_state))
    with torch.no_grad(), forward(backbone, [part]):
        pass
    inserted = LENGTH if method == "prompt_tuning" else 0
    for row, length in enumerate(dev.lengths[:3]):
        assert torch.equal(read[0][row, 0], states[0][row, length - 1 + inserted])


@pytest.mark.parametrize("name", OTHERS)
def test_every_site_that_is_read_gets_gradient_and_checkpointing_changes_none(name):
    """Prompts, entry at a later layer and single query, whatever the family can do."""
    gradients = []
    for checkpointing in (False, True):
        backbone = make_backbone(name)
        batch = rows(backbone, Layout(0, LENGTH))
        layer = 3 if backbone.runs_from_layer else 1
        embeds = backbone.embed_tokens(batch)
        enters = embeds if layer == 1 else backbone.forward_until(3, embeds, batch.token_type_ids, batch)
        if checkpointing:
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
            backbone.train()
        values = drawn(backbone, backbone.sites_of(range(layer, 5)))
        at = torch.tensor([2, 1]) if backbone.runs_single_query else None
        with backbone.attending(prompts_of(values), at):
            hidden = backbone.forward_from(layer, enters, batch.token_type_ids, batch)
            hidden[batch.attention_mask.bool() if at is None else slice(None)].pow(2).sum().backward()
        gradients.append([one.grad for one in values.values()])
    for one, other in zip(*gradients, strict=True):
        assert one.abs().amax(dim=(1, 2, 3, 4)).min() > 0
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_decoder_and_cross_attention_get_gradient_also_under_checkpointing(name):
    gradients = []
    for checkpointing in (False, True):
        backbone = make_backbone(name)
        if checkpointing:
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
            backbone.train()
        values = drawn(backbone, backbone.sites.values())
        batch = batch_of(backbone, [[5, 6, 7, 8], [9, 10]])
        ids = torch.tensor([[2, 5, 6], [2, 7, 0]])
        mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
        with backbone.attending(prompts_of(values)):
            decoded = backbone.decode(ids, mask, plain(backbone, batch), batch)
            decoded[mask.bool()].pow(2).sum().backward()
        gradients.append([one.grad for one in values.values()])
    assert len(gradients[0]) == 4 + 3 + 3
    for one, other in zip(*gradients, strict=True):
        assert one.abs().amax(dim=(1, 2, 3, 4)).min() > 0
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("method", ["fine_tuning", "prompt_tuning", "p_tuning_v2"])
@pytest.mark.parametrize("name", OTHERS)
def test_runs_train_and_are_recorded(make_run, name, method):
    positions = "keep" if name in SEQ2SEQ and method == "p_tuning_v2" else "shift"
    keys = {} if method == "fine_tuning" else {"prompt__positions": positions}
    (record,) = run([make_run(method, backbone__id=name, backbone__name=name, train__epochs=1, **keys)])
    assert record["status"] == "finished"
    assert record["parameters"]["trained"] > 0


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_positions_that_a_family_cannot_state_are_refused(name):
    backbone = make_backbone(name)
    with pytest.raises(InputError, match=r"positions=shift is refused: .* set prompt.positions=keep"):
        backbone.shape.check(Layout(0, LENGTH, "prefix", "shift"), 20)
    with pytest.raises(InputError, match=r"positions=keep is refused: .* set prompt.positions=shift"):
        backbone.shape.check(Layout(LENGTH, LENGTH, "prefix", "keep"), 20)
    backbone.shape.check(Layout(0, LENGTH, "infix", "keep"), 20)
    backbone.shape.check(Layout(LENGTH, LENGTH, "infix", "shift"), 20)
    backbone.shape.check(Layout(), 20)


@pytest.mark.parametrize("name", ["tiny_mpnet", "tiny_deberta", "tiny_deberta_v2", "tiny_modernbert"])
def test_an_inserted_infix_keeps_no_positions_where_the_family_counts_the_tokens_between_two(name):
    backbone = make_backbone(name)
    with pytest.raises(InputError, match=r"positions=keep is refused with prompt.placement=infix: .*; set"):
        backbone.shape.check(Layout(LENGTH, LENGTH, "infix", "keep"), 20)
    for layout in (Layout(0, LENGTH, "infix", "keep"), Layout(LENGTH, LENGTH, "infix", "shift")):
        backbone.shape.check(layout, 20)
    backbone.shape.check(Layout(LENGTH, LENGTH, "prefix", "keep"), 20)


def test_a_window_that_prompt_and_text_fit_into_parts_nothing():
    backbone = make_backbone("tiny_modernbert")
    assert backbone.model.config.sliding_window == 4
    backbone.shape.check(Layout(1, 1, "infix", "keep"), 3)


def test_shared_layers_are_refused_for_deep_prompts_alone(make_run):
    albert = {"backbone__id": "tiny_albert", "backbone__name": "tiny_albert", "train__epochs": 1}
    for method in ("fine_tuning", "prompt_tuning"):
        (record,) = run([make_run(method, **albert)])
        assert record["status"] == "finished"
    with pytest.raises(InputError, match="'albert' shares one attention among layers"):
        run([make_run("p_tuning_v2", **albert)])


def test_layers_of_different_shapes_are_refused_together(make_run):
    backbone = make_backbone("tiny_llama")
    site = backbone.sites[SiteKey("decoder", 2)]
    backbone.sites[site.key] = type(site)(site.stack, site.layer, site.attention, 4, site.head_dim)
    with pytest.raises(InputError, match=r"different shapes .*\(2, 8\), \(4, 8\)"):
        backbone.sites_of([1, 2, 3])
    assert [site.layer for site in backbone.sites_of([3, 1])] == [1, 3]


def test_windows_of_attention_are_not_entered_at_a_later_layer():
    """A layer would take another's kind, and three tokens do not tell."""
    kinds = {"layer_types": ["full_attention", "sliding_attention"] * 2, "sliding_window": 8}
    assert make_backbone("tiny_qwen3").runs_from_layer
    assert not make_backbone("tiny_qwen3", use_sliding_window=True, **kinds).runs_from_layer


@pytest.mark.parametrize(
    ("name", "keys"),
    [("tiny_gpt2", ["resid_pdrop", "embd_pdrop"]), ("tiny_t5", ["dropout_rate"]), ("tiny_bart", ["dropout"])],
)
def test_a_rate_of_dropout_finds_its_keys(make_run, name, keys):
    model, _ = tiny.build(name, 0.3)
    assert [getattr(model.config, key) for key in keys] == [0.3] * len(keys)
    config = BackboneConfig(name=name, source="random", id=name, pooler="none")
    train = make_run().train
    batch = rows(make_backbone(name), Layout())
    calm = load.load(config, train).train()
    assert torch.equal(plain(calm, batch), plain(calm, batch))
    noisy = load.load(config, train.model_copy(update={"backbone_dropout": 0.1})).train()
    assert not torch.equal(plain(noisy, batch), plain(noisy, batch))


def test_a_rate_that_no_key_takes_is_refused(make_run):
    config = BackboneConfig(name="tiny_llama", source="random", id="tiny_llama", pooler="none")
    with pytest.raises(InputError, match=r"backbone_dropout=0.1 is refused: backbone family 'llama'"):
        load.load(config, make_run().train.model_copy(update={"backbone_dropout": 0.1}))


@pytest.mark.parametrize("name", [*DECODERS, *SEQ2SEQ, "tiny_bert"])
def test_a_checkpoint_gives_its_language_model_head_or_says_that_it_has_none(make_run, tmp_path, name):
    kind = make_backbone(name).network.language_model
    model, tokenizer = tiny.build(name, kind=kind)
    whole, bare = tmp_path / "whole", tmp_path / "bare"
    model.save_pretrained(whole)
    tokenizer.save_pretrained(whole)
    configs = [BackboneConfig(name="mine", source="hub", id=str(one), pooler="none") for one in (whole, bare)]
    backbone = load.with_lm_head(configs[0], make_run().train)
    said = {"lm_head": load.lm_head_here(configs[0])}
    assert backbone.content == load.load(configs[0], make_run().train).content | said
    assert backbone.logits(torch.zeros(1, 2, 32)).shape == (1, 2, 1544)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    if backbone.lm_head.language_model.config.tie_word_embeddings:
        return  # the embeddings are the head
    tiny.build(name)[0].save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    with pytest.raises(InputError, match="has no language-model head"):
        load.with_lm_head(configs[1], make_run().train)
