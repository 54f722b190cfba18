"""Logits under `generate` are those of the training pass on the same tokens: cached, uncached, with beams, padded on
the left, and with deep prompts that stand before the text or within it."""

import pytest
import torch
from transformers import AutoModelForMaskedLM

from ptuning.backbones import dropout, tiny
from ptuning.backbones.lm_head import LMHead
from ptuning.errors import InputError
from ptuning.prompts.deep import SitePrompt
from ptuning.prompts.placement import Batch
from tests.conftest import make_backbone

DECODERS = ["tiny_gpt2", "tiny_opt", "tiny_llama", "tiny_qwen3"]
SEQ2SEQ = ["tiny_t5", "tiny_bart"]
LENGTH, NEW = 3, 5
HOW = {"cached": {}, "uncached": {"use_cache": False}, "beams": {"num_beams": 3, "num_return_sequences": 2}}


def with_lm_head(name, attention="sdpa", **shape):
    backbone = make_backbone(name, attention, **shape)
    model, _ = tiny.build(name, 0.0, f"prompted_{attention}", backbone.network.language_model, **shape)
    dropout.switch_off(model)
    backbone.lm_head = LMHead(model.eval(), backbone.network)
    return backbone


def batch_of(backbone, rows, shift=0, infix=None):
    """Token ids padded on the right; positions behind the prompt's place are moved by `shift`."""
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    index = torch.arange(width).expand(len(rows), -1)
    place = torch.zeros(len(rows), 1) if infix is None else infix[:, :1]
    positions = index + backbone.first_position + shift * (index >= place)
    return Batch(ids, ids * 0, positions, mask, ids * 0 - 1, ids[:, 0] * 0)


def drawn_prompts(backbone, rows):
    """One of its own for each row, the second row's shorter."""
    random = torch.Generator().manual_seed(1)
    mask = torch.tensor([[True] * LENGTH, [True] * (LENGTH - 1) + [False]])
    return {
        key: SitePrompt(*torch.randn(2, rows, site.kv_heads, LENGTH, site.head_dim, generator=random), None, mask)
        for key, site in backbone.sites.items()
    }


def steps_of(output, beams):
    """The logits `[B, U, V]` that each returned sequence's tokens were chosen from."""
    logits = torch.stack(output.logits, dim=1)
    if beams is None:
        return logits
    steps = torch.arange(output.sequences.shape[1])
    return logits[output.beam_indices[:, : len(steps)].clamp(min=0), steps]


def compare(output, trained, copies):
    """Up to where a sequence ends; `trained(row, tokens)` gives the training pass's logits `[U, V]`."""
    beams = getattr(output, "beam_indices", None)
    logits = steps_of(output, beams)
    for index, tokens in enumerate(output.sequences):
        until = len(tokens) if beams is None else int((beams[index, : len(tokens)] >= 0).sum())
        expected = trained(index // copies, tokens[:until])
        torch.testing.assert_close(logits[index, :until], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_generates_as_it_trains(name, how, placement):
    backbone = with_lm_head(name)
    rows = [[5, 6, 7, 8, 9, 10], [11, 12, 13]]  # of unlike lengths: the second is padded on the left
    first_query = None if placement == "prefix" else torch.tensor([[4] * LENGTH, [1] * LENGTH])
    prompts = drawn_prompts(backbone, len(rows))
    options = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, "output_logits": True} | HOW[how]
    output = backbone.generate(
        batch_of(backbone, rows, LENGTH, first_query), prompts, first_query, pad_token_id=0, **options
    )
    assert output.sequences.shape == (2 * options.get("num_return_sequences", 1), NEW)

    def trained(row, tokens):
        at = slice(row, row + 1)
        own = {site: SitePrompt(p.key[at], p.value[at], None, p.prompt_mask[at]) for site, p in prompts.items()}
        seen = None if first_query is None else first_query[at]
        batch = batch_of(backbone, [rows[row] + tokens.tolist()], LENGTH, seen)
        with backbone.attending(own, None, seen):
            hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
        return backbone.logits(hidden)[0, len(rows[row]) - 1 : -1]

    with torch.no_grad():
        compare(output, trained, options.get("num_return_sequences", 1))
        plain = backbone.generate(batch_of(backbone, rows), {}, pad_token_id=0, **options)
    assert (plain.logits[0] - output.logits[0]).abs().max() > 1e-2


@pytest.mark.parametrize("name", DECODERS)
def test_one_row_without_padding_generates_as_it_trains(name):
    """`generate` drops a mask without padding, and an infix prompt's positions then look like two texts in a row."""
    backbone = with_lm_head(name)
    first_query = torch.tensor([[2] * LENGTH])
    prompts = {site: SitePrompt(p.key[:1], p.value[:1]) for site, p in drawn_prompts(backbone, 2).items()}
    text = [5, 6, 7, 8]
    for options in HOW.values():
        output = backbone.generate(
            batch_of(backbone, [text], LENGTH, first_query), prompts, first_query,
            pad_token_id=0, max_new_tokens=NEW, do_sample=False, eos_token_id=None, output_logits=True, **options,
        )  # fmt: skip

        def trained(_, tokens):
            batch = batch_of(backbone, [text + tokens.tolist()], LENGTH, first_query)
            with backbone.attending(prompts, None, first_query):
                hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
            return backbone.logits(hidden)[0, len(text) - 1 : -1]

        with torch.no_grad():
            compare(output, trained, options.get("num_return_sequences", 1))


@pytest.mark.parametrize("how", ["cached", "beams"])
@pytest.mark.parametrize("name", DECODERS)
def test_embeddings_in_the_place_of_tokens_generate_the_same(name, how):
    backbone = with_lm_head(name)
    batch, prompts = batch_of(backbone, [[5, 6, 7, 8, 9, 10], [11, 12, 13]]), drawn_prompts(backbone, 2)
    options = {"max_new_tokens": NEW, "do_sample": False, "pad_token_id": 0, "output_logits": True} | HOW[how]
    by_ids = backbone.generate(batch, prompts, **options)
    by_embeds = backbone.generate(batch, prompts, embeds=backbone.embed_tokens(batch), **options)
    assert torch.equal(by_ids.sequences, by_embeds.sequences)
    torch.testing.assert_close(by_ids.logits, by_embeds.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stacks", [("encoder",), ("decoder",), ("cross",), ("encoder", "decoder", "cross")])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", SEQ2SEQ)
def test_an_encoder_decoder_generates_as_it_trains(name, how, stacks):
    backbone = with_lm_head(name)
    rows = [[5, 6, 7, 8, 9, 10], [11, 12, 13]]
    batch = batch_of(backbone, rows)
    prompts = {site: p for site, p in drawn_prompts(backbone, 2).items() if site.stack in stacks}
    options = {"max_new_tokens": NEW, "do_sample": False, "output_logits": True} | HOW[how]
    output = backbone.generate(batch, prompts, **options)
    start = backbone.model.config.decoder_start_token_id

    def trained(row, tokens):
        at = slice(row, row + 1)
        own = {site: SitePrompt(p.key[at], p.value[at], None, p.prompt_mask[at]) for site, p in prompts.items()}
        one = batch_of(backbone, [rows[row]])
        ids = torch.tensor([[start, *tokens.tolist()[:-1]]])
        with backbone.attending(own):
            hidden = backbone(backbone.embed_tokens(one), one.token_type_ids, one)
            decoded = backbone.decode(ids, torch.ones_like(ids), hidden, one)
        return backbone.logits(decoded)[0]

    with torch.no_grad():
        compare(output, trained, options.get("num_return_sequences", 1))
        plain = backbone.generate(batch, {}, **options)
    assert (plain.logits[0] - output.logits[0]).abs().max() > 1e-4


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["tiny_bert", "tiny_roberta", "tiny_mpnet", *DECODERS])
def test_logits_are_those_of_transformers_own_class(name, attention):
    backbone = with_lm_head(name, attention)
    batch = batch_of(backbone, [[5, 6, 7, 8], [9, 10]])
    with torch.no_grad():
        hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
        own = backbone.lm_head.language_model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, position_ids=batch.position_ids
        )
        real = batch.attention_mask.bool()
        torch.testing.assert_close(backbone.logits(hidden)[real], own.logits[real], atol=1e-6, rtol=1e-5)
    assert backbone.lm_head.language_model.get_input_embeddings() is backbone.model.get_input_embeddings()


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_stay_tied_to_the_head_where_they_are(tied):
    backbone = with_lm_head("tiny_llama", tie_word_embeddings=tied)
    output = backbone.lm_head.language_model.get_output_embeddings().weight
    assert (output is backbone.model.get_input_embeddings().weight) == tied


def test_what_cannot_generate_says_so():
    plain = make_backbone("tiny_gpt2")
    batch = batch_of(plain, [[5, 6]])
    with pytest.raises(InputError, match="without its language-model head"):
        plain.logits(torch.zeros(1, 2, 32))
    with pytest.raises(InputError, match="without its language-model head"):
        plain.generate(batch, {})
    assert tiny.build("tiny_bert", kind=AutoModelForMaskedLM)[0].config.model_type == "bert"
    with pytest.raises(InputError, match="'bert' is an encoder, which generates nothing"):
        with_lm_head("tiny_bert").generate(batch, {})
