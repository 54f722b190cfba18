"""The seam: deep prompts against PEFT as an oracle, and the invariants that make it trustworthy."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import CheckpointError
from transformers import AttentionInterface, AutoModel, MegatronBertConfig, ViTConfig

from ptuning.backbones.backbone import Backbone
from ptuning.backbones.families.base import masked
from ptuning.errors import InputError
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Layout, collate, table
from tests.conftest import ENCODERS, make_backbone
from tests.prompts.test_placement import encoded

LENGTH = 3
TEXTS = ["a premise of some length and more", "short"], ["its hypothesis", "why"]


def rows(backbone, layout):
    tokens = backbone.tokenizer(*TEXTS)
    sequences = []
    for i in range(2):
        ids = tokens["input_ids"][i]
        infix = max(j + 1 for j, s in enumerate(tokens.sequence_ids(i)) if s == 0)
        sequences.append((ids, tokens["token_type_ids"][i], infix))
    examples = encoded(*sequences)
    width = int(examples.lengths.max()) + layout.inserted
    made = table(examples, np.arange(2), layout, width, backbone.pad, backbone.first_position)
    return collate([made], backbone.device)


def keys_and_values(backbone, layers=None, seed=0):
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape_of(backbone, rows=2), generator=random).requires_grad_()
    chosen = range(1, backbone.layers + 1) if layers is None else layers
    return drawn, {SiteKey("encoder", layer): SitePrompt(*drawn[layer - 1]) for layer in chosen}


def shape_of(backbone, rows=1, length=LENGTH):
    """`[sites, 2, rows, A, P, D]`."""
    site = backbone.sites[SiteKey("encoder", 1)]
    return backbone.layers, 2, rows, site.kv_heads, length, site.head_dim


def masked_out(prompts, hide):
    return {site: SitePrompt(p.key, p.value, prompt_mask=hide) for site, p in prompts.items()}


def every_site(backbone, prompts):
    return dict(zip(backbone.sites, prompts, strict=True))


def hidden(backbone, batch, prompts):
    with backbone.attending(prompts):
        return plain(backbone, batch)


def plain(backbone, batch):
    return backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)


@pytest.mark.parametrize(
    ("name", "attention"), itertools.product(["tiny_bert", "tiny_roberta"], ["sdpa", "eager"])
)  # fmt: skip
def test_agrees_with_peft_prefix_tuning(name, attention):
    """Logits and gradients, padded batch, positions shifted; PEFT feeds the same keys and values through a cache.

    DeBERTa's and MPNet's classes take no cache, so PEFT has no way in: `test_families` works them out by hand.
    """
    from peft import PrefixTuningConfig, TaskType, get_peft_model

    ours = make_backbone(name, attention)
    oracle = make_backbone(name, attention).model
    oracle.set_attn_implementation(attention)
    peft = get_peft_model(
        oracle, PrefixTuningConfig(task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=LENGTH)
    )  # fmt: skip
    table = peft.prompt_encoder.default.embedding.weight  # [P, L * 2 * H]
    _, _, _, kv_heads, _, head_dim = shape_of(ours)
    heads = table.detach().view(LENGTH, ours.layers, 2, kv_heads, head_dim)
    drawn = heads.permute(1, 2, 3, 0, 4).clone().requires_grad_()  # [L, 2, A, P, D]
    shared = drawn[:, :, None].expand(-1, -1, 2, -1, -1, -1)
    batch = rows(ours, Layout(0, LENGTH, "prefix", "shift"))

    peft.eval()
    expected = peft(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
    types = torch.zeros_like(batch.token_type_ids)  # PEFT drops token types with a warning
    with ours.attending(every_site(ours, [SitePrompt(*layer) for layer in shared])):
        got = ours(ours.embed_tokens(batch), types, batch)
    real = batch.attention_mask.bool()
    torch.testing.assert_close(got[real], expected[real], atol=2e-6, rtol=1e-5)

    weights = torch.randn(got[real].shape, generator=torch.Generator().manual_seed(1))
    (got[real] * weights).sum().backward()
    (expected[real] * weights).sum().backward()
    theirs = table.grad.view(heads.shape).permute(1, 2, 3, 0, 4)
    assert theirs.abs().amax(dim=(1, 2, 3, 4)).min() > 0
    torch.testing.assert_close(drawn.grad, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_masked_prompt_equals_the_plain_backbone(name, attention):
    backbone = make_backbone(name, attention)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "keep"))
    _, prompts = keys_and_values(backbone)
    hide = torch.zeros(2, LENGTH, dtype=torch.bool)
    masked = hidden(backbone, batch, masked_out(prompts, hide))
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    plain = backbone.model(**inputs, token_type_ids=batch.token_type_ids).last_hidden_state
    real = batch.attention_mask.bool()
    torch.testing.assert_close(masked[real], plain[real], atol=1e-6, rtol=1e-5)
    assert (hidden(backbone, batch, prompts) - plain)[real].abs().max() > 1e-2


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_hidden_prompt_is_hidden_also_where_nothing_is_padded(name, attention):
    backbone = make_backbone(name, attention)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "keep"))
    whole = type(batch)(*(field[:1] for field in vars(batch).values()))  # the longer row, unpadded
    _, prompts = keys_and_values(backbone)
    hide = torch.zeros(1, LENGTH, dtype=torch.bool)
    own = {site: SitePrompt(p.key[:1], p.value[:1]) for site, p in prompts.items()}
    masked = hidden(backbone, whole, masked_out(own, hide))
    torch.testing.assert_close(masked, hidden(backbone, whole, {}), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_zero_prompt_is_not_a_masked_one(name):
    """Zero keys still take a share of the softmax (P-tuning-v2 issue 65)."""
    backbone = make_backbone(name)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "keep"))
    zeros = torch.zeros(shape_of(backbone, rows=2)[2:])
    with_zeros = hidden(backbone, batch, dict.fromkeys(backbone.sites, SitePrompt(zeros, zeros)))
    assert (with_zeros - hidden(backbone, batch, {})).abs().max() > 1e-3


@pytest.mark.parametrize("name", ENCODERS)
def test_padding_does_not_change_an_example(name):
    backbone = make_backbone(name)
    _, prompts = keys_and_values(backbone)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "shift"))
    together = hidden(backbone, batch, prompts)
    short = int(batch.attention_mask[1].sum())
    alone = type(batch)(*(field[1:2, :short] if field.dim() == 2 else field[1:2] for field in vars(batch).values()))
    own = {site: SitePrompt(p.key[1:2], p.value[1:2]) for site, p in prompts.items()}
    single = hidden(backbone, alone, own)
    torch.testing.assert_close(together[1:2, :short], single, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", ENCODERS)
def test_every_prompted_layer_and_no_other_gets_gradient(name, checkpointing):
    """Depth 17-24 of a 24-layer model touches exactly those layers, also under gradient checkpointing."""
    backbone = make_backbone(name, num_hidden_layers=24)
    if checkpointing:
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
        backbone.train()
    drawn, prompts = keys_and_values(backbone, layers=range(17, 25))
    batch = rows(backbone, Layout(0, LENGTH))
    with backbone.attending(prompts):
        plain(backbone, batch).pow(2).sum().backward()
    touched = drawn.grad.abs().amax(dim=(1, 2, 3, 4, 5))
    assert (touched[:16] == 0).all() and (touched[16:] > 0).all()
    assert all(parameter.grad is None for parameter in backbone.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_checkpointing_changes_no_gradient(name, monkeypatch):
    """And does run: each of the four layers once more, in the backward pass."""
    passes = []
    of_rows = SitePrompt.of_rows
    monkeypatch.setattr(SitePrompt, "of_rows", lambda *arguments: passes.append(1) or of_rows(*arguments))
    gradients = []
    for checkpointing in (False, True):
        backbone = make_backbone(name)
        if checkpointing:
            backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
            backbone.train()
        drawn, prompts = keys_and_values(backbone)
        with backbone.attending(prompts):
            plain(backbone, rows(backbone, Layout(0, LENGTH))).pow(2).sum().backward()
        gradients.append(drawn.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert len(passes) == 4 + 2 * 4


def test_the_backward_pass_belongs_in_the_block_and_no_pass_in_another():
    """Checkpointed layers that run again without their prompt fail loudly, and the next pass is whole again."""
    backbone = make_backbone()
    backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    backbone.train()
    drawn, prompts = keys_and_values(backbone)
    batch = rows(backbone, Layout(0, LENGTH))
    outside = hidden(backbone, batch, prompts).pow(2).sum()
    with pytest.raises(CheckpointError):
        outside.backward()
    with pytest.raises(RuntimeError, match="running already"), backbone.attending({}), backbone.attending({}):
        pass
    with backbone.attending(prompts):
        plain(backbone, batch).pow(2).sum().backward()
    assert drawn.grad.abs().amax(dim=(2, 3, 4, 5)).min() > 0


def attended(name, attention, dtype, drawn, open_columns, autocast=False):
    """What a layer's attention makes of `drawn` (query, key, value, prompt) in `dtype`, and the gradients of those."""
    backbone, first = make_backbone(name, attention), SiteKey("encoder", 1)
    module = backbone.sites[first].attention
    query, key, value, *prompt = given = [one.to(dtype).requires_grad_() for one in drawn]
    prompt = SitePrompt(*prompt, prompt_mask=torch.tensor([[True] * LENGTH, [True, False, False]]))
    additive = masked(torch.zeros((), dtype=dtype), open_columns)
    with torch.autocast("cpu", dtype, enabled=autocast), backbone.attending({first: prompt}):
        if hasattr(module, "attend"):  # the family's own
            out = module.attend(query, key, value, additive, 0.3)
        else:
            attend = AttentionInterface()[f"prompted_{attention}"]
            mask = open_columns if attention == "sdpa" else additive
            out, _ = attend(module, query, key, value, mask, scaling=0.3, dropout=0.0)
    (out.float() * torch.arange(out.numel()).view_as(out).remainder(5)).sum().backward()
    return [out, *(one.grad for one in given)]


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ENCODERS)
def test_on_a_cpu_attention_in_half_precision_works_in_float32(name, attention, dtype, autocast):
    """To the bit: of the same numbers, output and gradients are float32's, rounded once."""
    random = torch.Generator().manual_seed(0)
    drawn = [torch.randn(2, 4, n, 8, generator=random).to(dtype) for n in (9, 9, 9, LENGTH, LENGTH)]
    open_columns = torch.ones(2, 1, 9, 9, dtype=torch.bool)
    open_columns[1, ..., -4:] = False
    exact = attended(name, attention, torch.float32, drawn, open_columns)
    half = attended(name, attention, dtype, drawn, open_columns, autocast)
    assert all(one.dtype == dtype for one in half)
    assert all(torch.equal(one, whole.to(dtype)) for one, whole in zip(half, exact, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ENCODERS)
def test_half_precision_stays_close_in_hidden_states_and_gradients(name, dtype):
    def passed(*dtypes):
        backbone = make_backbone(name)
        for one in dtypes:
            backbone.cast_frozen(one)
        drawn, prompts = keys_and_values(backbone)
        batch = rows(backbone, Layout(0, LENGTH))
        out = hidden(backbone, batch, prompts)[batch.attention_mask.bool()].float()
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum().backward()
        return out, drawn.grad

    (exact, slope), (half, half_slope) = passed(), passed(dtype)
    assert (half - exact).norm() < 0.02 * exact.norm()
    assert (half_slope - slope).norm() < 0.05 * slope.norm()


@pytest.mark.parametrize("name", ENCODERS)
def test_layers_below_the_first_prompt_are_not_touched(name):
    backbone = make_backbone(name)
    _, prompts = keys_and_values(backbone, layers=[3, 4])
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "keep"))
    seen = []
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out: seen.append(out[0] if isinstance(out, tuple) else out))
        for layer in backbone.model.encoder.layer
    ]
    hidden(backbone, batch, prompts)
    hidden(backbone, batch, {})
    for hook in hooks:
        hook.remove()
    prompted, plain = seen[: backbone.layers], seen[backbone.layers :]
    changed = [not torch.equal(a, b) for a, b in zip(prompted, plain, strict=True)]
    assert changed == [False, False, True, True]


def test_deep_prefix_and_infix_are_one_function_with_kept_positions_only():
    backbone = make_backbone()
    _, prompts = keys_and_values(backbone)
    out = {
        (placement, positions): hidden(backbone, rows(backbone, Layout(0, LENGTH, placement, positions)), prompts)
        for placement in ("prefix", "infix")
        for positions in ("keep", "shift")
    }
    assert torch.equal(out["prefix", "keep"], out["infix", "keep"])
    assert (out["prefix", "shift"] - out["infix", "shift"]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ENCODERS)
def test_rows_with_prompts_of_other_lengths_and_depths_do_not_disturb_each_other(name):
    """What lanes rely on: the row with two vectors in layers 3 and 4 beside one with three in all layers."""
    backbone = make_backbone(name)
    batch = rows(backbone, Layout(0, LENGTH, "prefix", "keep"))
    drawn, _ = keys_and_values(backbone)
    first, second = drawn[:, :, 0:1], drawn[:, :, 1:2, :, :2]
    short = torch.nn.functional.pad(second, (0, 0, 0, 1))
    together = [
        SitePrompt(
            *torch.cat([first[i], short[i]], dim=1),
            prompt_mask=torch.tensor([[True] * 3, [i > 1, i > 1, False]]),
        )
        for i in range(backbone.layers)
    ]
    packed = hidden(backbone, batch, every_site(backbone, together))
    own = [every_site(backbone, [SitePrompt(*pair) for pair in one]) for one in (first, second)]
    del own[1][SiteKey("encoder", 1)], own[1][SiteKey("encoder", 2)]
    for row, prompts in enumerate(own):
        real = batch.attention_mask[row].bool()
        alone = hidden(backbone, batch.rows(slice(row, row + 1)), prompts)
        torch.testing.assert_close(packed[row][real], alone[0][real], atol=1e-6, rtol=1e-5)


def test_a_family_that_prompts_do_not_reach_is_refused_for_deep_prompts_alone():
    config = MegatronBertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    model = AutoModel.from_config(config, attn_implementation="prompted_eager")
    backbone = Backbone(model, make_backbone().tokenizer, None)
    assert backbone.layers == 2 and not backbone.sites
    with pytest.raises(InputError, match="'megatron-bert' cannot take deep prompts: 0 of its 2 layers"):
        backbone.sites_of([1])


def test_a_model_that_reads_no_text_is_refused():
    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with pytest.raises(InputError, match="'vit' is no text encoder, decoder or encoder-decoder"):
        Backbone(AutoModel.from_config(config), make_backbone().tokenizer, None)
