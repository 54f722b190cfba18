"""The layers below the first prompt are computed once, and that changes no number."""

import numpy as np
import pytest
import torch

from ptuning.backbones.backbone import Backbone
from ptuning.backbones.hidden_cache import HiddenCache
from ptuning.prompts.deep import SiteKey, SitePrompt
from ptuning.prompts.placement import Layout, collate, table
from tests.backbones.test_attention import every_site, shape_of
from tests.conftest import ENCODERS, make_backbone
from tests.prompts.test_placement import encoded
from tests.training.test_lanes import lanes_of, train_all, trained

TOP = {"prompt__layers": "3-4", "prompt__dropout": 0.2}


@pytest.mark.parametrize("name", ENCODERS)
def test_the_two_halves_of_a_model_are_the_model(name):
    backbone = make_backbone(name)
    assert backbone.runs_from_layer
    texts = encoded(([1, 7, 8, 2], [0, 0, 0, 0], 3), ([1, 9, 2], [0, 0, 0], 2))
    made = table(texts, np.arange(2), Layout(), 4, backbone.pad, backbone.first_position)
    batch = collate([made], backbone.device)
    words = backbone.embed_tokens(batch)
    whole = backbone(words, batch.token_type_ids, batch)
    for layer in range(2, backbone.layers + 1):
        hidden = backbone.forward_until(layer, words, batch.token_type_ids, batch)
        with backbone.attending({}):
            upper = backbone.forward_from(layer, hidden, batch.token_type_ids, batch)
        torch.testing.assert_close(upper, whole, atol=1e-6, rtol=1e-5)
    assert len(backbone.model.encoder.layer) == backbone.layers


@pytest.mark.parametrize("positions", ["shift", "keep"])
def test_a_run_with_a_hidden_cache_equals_one_without(make_run, positions):
    config = make_run(prompt__positions=positions, **TOP)
    (plain,), _ = trained([config])
    (kept,), _ = trained([config], cached=True)
    assert [e.loss for e in kept.history] == pytest.approx([e.loss for e in plain.history], rel=1e-4)
    assert [e.dev for e in kept.history] == [e.dev for e in plain.history]


def test_each_text_goes_through_the_lower_layers_once(make_run, monkeypatch):
    """In three epochs, training and evaluation, of two lanes with the same texts and places."""
    seen = []
    until = Backbone.forward_until
    monkeypatch.setattr(
        Backbone,
        "forward_until",
        lambda self, layer, embeds, types, batch: seen.append(len(embeds)) or until(self, layer, embeds, types, batch),
    )
    configs = [make_run(seed=seed, train__epochs=3, **TOP) for seed in (1, 2)]
    seen.clear()
    lanes, _ = trained(configs, cached=True)
    probe = 2  # texts with which a backbone tries, when it is made, whether it can be divided
    material = lanes[0].tasks[0].dataset
    assert sum(seen) - probe == len(material.train) + len(material.dev)


def test_lanes_that_enter_at_different_layers_do_not_disturb_each_other(make_run):
    configs = [make_run(**TOP), make_run(seed=2), make_run("prompt_tuning", seed=3), make_run(prompt__layers=4)]
    packed, _ = trained(configs, cached=True)
    for lane, config in zip(packed, configs, strict=True):
        (alone,), _ = trained([config])
        assert [e.loss for e in lane.history] == pytest.approx([e.loss for e in alone.history], rel=2e-4)


class Counted:
    """A cache whose lower layers are a count of the calls."""

    def __init__(self, memory, disk):
        self.calls = 0
        self.texts = [encoded(([1, 5, 6, 2], [0] * 4, 3), ([1, 7, 2], [0] * 3, 2)) for _ in range(3)]
        self.hidden_cache = HiddenCache(self.compute, torch.empty(1, 2), memory, disk)

    def compute(self, layer, batch):
        self.calls += 1
        return batch.input_ids[..., None].float().expand(-1, -1, 2) * 10 + layer

    def ask(self, text=0, layer=3, layout=None, rows=(1, 0)):
        layout = layout or Layout()
        made = collate([table(self.texts[text], np.array(rows), layout, 4, 9, 0)], torch.device("cpu"))
        return self.hidden_cache.hidden(layer, self.texts[text], np.array(rows), layout, made)


SIZE = 7 * 2 * 4  # bytes of one set of texts: tokens, hidden size, float32


@pytest.mark.parametrize(("memory", "disk"), [(SIZE, 0), (0, SIZE)], ids=["memory", "disk"])
def test_what_is_kept_comes_back(memory, disk):
    one = Counted(memory, disk)
    first, again = one.ask(), one.ask()
    assert first[0, :3, 0].tolist() == [13, 73, 23]
    assert first[1, :, 0].tolist() == [13, 53, 63, 23]
    assert torch.equal(first, again)
    assert one.calls == 1
    one.ask(rows=(1,))
    assert one.calls == 1
    (store,) = one.hidden_cache.stores.values()
    assert store.in_memory == (memory > 0)


def test_what_could_change_the_outputs_is_kept_apart():
    one = Counted(100 * SIZE, 0)
    places = [Layout(0, 2, "prefix", "shift"), Layout(0, 3, "prefix", "shift"), Layout(0, 2, "infix", "shift")]
    for ask in ({}, {"layer": 2}, {"text": 1}, *({"layout": layout} for layout in places)):
        before = one.calls
        one.ask(**ask)
        assert one.calls == before + 1, ask
    one.ask(layout=Layout(0, 5, "infix", "keep"))  # ids that stay do not depend on the prompt
    assert one.calls == 6


def test_a_full_cache_drops_what_no_lane_reads_and_else_computes():
    one = Counted(2 * SIZE, 0)
    one.ask(0)
    one.ask(1)
    one.hidden_cache.hold([HiddenCache.key(one.texts[1], 3, Layout())])
    one.ask(2)  # takes the place of 0
    assert one.calls == 3
    one.ask(1)
    assert one.calls == 3
    one.hidden_cache.hold([HiddenCache.key(one.texts[i], 3, Layout()) for i in range(3)])
    assert torch.equal(one.ask(0), one.ask(0))  # no room: computed each time
    assert one.calls == 5
    assert len(one.hidden_cache.stores) == 2


def test_a_full_disk_only_costs_time(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    one = Counted(0, SIZE)
    assert torch.equal(one.ask(), one.ask())
    assert one.calls == 2


def test_a_backbone_that_cannot_be_entered_later_caches_nothing():
    backbone = make_backbone()
    backbone.runs_from_layer = False
    backbone.cache_hidden(1e6, 0)
    assert backbone.hidden_cache is None


@pytest.mark.parametrize("short", [3, 4], ids=["padded", "unpadded"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_single_query_in_the_last_layer_is_exact(name, attention, short):
    """Hidden states and gradients of the prompts, also where some rows do not see all of a prompt."""
    backbone = make_backbone(name, attention)
    assert backbone.runs_single_query
    texts = encoded(([1, 7, 8, 2], [0, 0, 0, 0], 3), ([1, 9, 4, 2][:short], [0] * short, 2))
    made = table(texts, np.arange(2), Layout(), 4, backbone.pad, backbone.first_position)
    batch = collate([made], backbone.device)
    at, gradients, found = torch.tensor([2, 0]), [], []
    for only in (None, at):
        drawn = torch.randn(shape_of(backbone, rows=2),
                            generator=torch.Generator().manual_seed(1)).requires_grad_()  # fmt: skip
        mask = torch.tensor([[True, True, True], [True, False, False]])
        prompts = every_site(backbone, [SitePrompt(*pair, prompt_mask=mask) for pair in drawn])
        with backbone.attending(prompts, only):
            hidden = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)
        assert hidden.shape[1] == (4 if only is None else 1)
        found.append(hidden[torch.arange(2), at] if only is None else hidden[:, 0])
        found[-1].pow(2).sum().backward()
        gradients.append(drawn.grad)
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_model_entered_late_with_a_single_query_is_exact_under_checkpointing(name):
    """The layers that run again in the backward pass find prompt, entry and query where they were."""
    backbone = make_backbone(name)
    texts = encoded(([1, 7, 8, 2], [0, 0, 0, 0], 3), ([1, 9, 2], [0, 0, 0], 2))
    batch = collate([table(texts, np.arange(2), Layout(), 4, backbone.pad, backbone.first_position)], backbone.device)
    words, at, gradients = backbone.embed_tokens(batch), torch.tensor([2, 0]), []
    enters = backbone.forward_until(3, words, batch.token_type_ids, batch)
    for embeds, start, only in ((words, 1, None), (enters, 3, at)):
        drawn = torch.randn(2, *shape_of(backbone)[1:],
                            generator=torch.Generator().manual_seed(1)).requires_grad_()  # fmt: skip
        prompts = {SiteKey("encoder", layer): SitePrompt(*pair) for layer, pair in zip((3, 4), drawn, strict=True)}
        with backbone.attending(prompts, only):
            hidden = backbone.forward_from(start, embeds, batch.token_type_ids, batch)
            (hidden[torch.arange(2), at] if only is None else hidden[:, 0]).pow(2).sum().backward()
        gradients.append(drawn.grad)
        backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
        backbone.train()
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("layers", ["all", "3-4", 4])
def test_checkpointing_hidden_cache_and_single_query_go_together(make_run, layers):
    """Checkpointed layers run again in the backward pass, when what the cache gave must still enter them."""
    config = make_run(prompt__layers=layers, train__head_dropout=0.0)
    (plain,), _ = trained([config])
    backbone = make_backbone()
    backbone.cache_hidden(1e8, 0)
    backbone.model.gradient_checkpointing_enable({"use_reentrant": False})
    (lane,) = lanes_of([config], backbone)
    train_all(backbone, [lane])
    for one, other in zip(lane.parameters, plain.parameters, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)
