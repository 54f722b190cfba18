"""DePT: the offset goes to the tokens of the text by their index in it, wherever the prompt stands, and to nothing
else."""

import numpy as np
import pytest
import torch

from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.prompts.placement import collate, table
from ptuning.records import weights
from ptuning.training.budget import Budget
from ptuning.training.loop import step
from tests.conftest import make_backbone
from tests.training.test_lanes import lanes_of, trained

OFFSET = 10  # tokens, as in `tests.conftest`; the texts are longer


def learned(make_run, **overrides):
    """A run whose offset is no longer zero."""
    backbone = make_backbone()
    (lane,) = lanes_of([make_run("dept", **overrides)], backbone)
    with torch.no_grad():
        lane.adapter.method.offset_right.normal_(generator=torch.Generator().manual_seed(1))
    return backbone, lane


def batch_of(backbone, lane, padding):
    dev = lane.tasks[0].dataset.dev
    rows = np.array([int(dev.lengths.argmin()), int(dev.lengths.argmax())])
    width = int(dev.lengths[rows].max()) + lane.adapter.layout.inserted + 2
    made = table(dev, rows, lane.adapter.layout, width, backbone.pad, backbone.first_position, padding)
    return dev, rows, collate([made], backbone.device)


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize("placement", ["prefix", "infix"])
def test_each_token_of_the_text_is_offset_by_its_index(make_run, placement, padding):
    backbone, lane = learned(make_run, prompt__placement=placement)
    method = lane.adapter.method
    dev, rows, batch = batch_of(backbone, lane, padding)
    with torch.no_grad():
        embeds = backbone.embed_tokens(batch)
        got, _ = method.embed(backbone, batch, embeds)
        offset = method.offset_left @ method.offset_right * 8 / 4**0.5
    assert dev.lengths[rows].min() > OFFSET
    for index, row in enumerate(rows):
        of_text = (batch.slots[index] < 0) & batch.attention_mask[index].bool()
        words = backbone.model.get_input_embeddings().weight[dev.tokens[dev.starts[row] : dev.starts[row + 1]]]
        words[:OFFSET] += offset
        torch.testing.assert_close(got[index, of_text], words)
        assert torch.equal(got[index, batch.slots[index] >= 0], method.reparameterization.prompt)
        padded = ~batch.attention_mask[index].bool()
        assert padded.any() and torch.equal(got[index, padded], embeds[index, padded])


def test_at_first_it_is_prompt_tuning(make_run):
    (dept,), _ = trained([make_run("dept", train__epochs=1, train__batch_size=12)])
    (prompt_tuning,), _ = trained([make_run("prompt_tuning", train__epochs=1, train__batch_size=12)])
    assert dept.history[0].loss == pytest.approx(prompt_tuning.history[0].loss, abs=1e-6)


def test_the_offset_has_a_rate_of_its_own(make_run):
    moved = {}
    for rate in (1e-3, 1e-1):
        backbone = make_backbone()
        (lane,) = lanes_of([make_run("dept", train__lrs={"offset": rate})], backbone)
        groups = {group["name"]: group["lr"] for group in lane.optimizer.param_groups}
        assert groups == {"prompt": 1e-2, "offset": rate, "head": 1e-2}
        before = lane.adapter.method.reparameterization.prompt.detach().clone()
        step(backbone, [(lane, next(lane.batches()).with_dropout(0))], Budget(4096))
        after = lane.adapter.method.folded()
        moved[rate] = (after["prompt"] - before).abs().max().item(), after["offset_right"].abs().max().item()
    (prompt, slow), (same, fast) = moved.values()
    assert prompt == same and fast > 50 * slow > 0


def test_beside_runs_that_begin_higher_up_it_begins_below(make_run):
    """With a cache of hidden states in the pack, too."""
    configs = [make_run("dept", prompt__placement="infix"), make_run(seed=2, prompt__layers="3-4")]
    packed, _ = trained(configs, cached=True)
    for lane, config in zip(packed, configs, strict=True):
        (alone,), _ = trained([config])
        assert [e.loss for e in lane.history] == pytest.approx([e.loss for e in alone.history], rel=2e-4)


def test_what_is_saved_is_the_prompt_and_the_offset(make_run, tmp_path):
    backbone, lane = learned(make_run)
    state = weights.trained_state(lane.tasks, backbone)
    shapes = {name: tuple(one.shape) for name, one in state.items() if name.startswith("prompt.")}
    assert shapes == {"prompt.prompt": (3, 32), "prompt.offset_left": (10, 4), "prompt.offset_right": (4, 32)}
    file = weights.write(tmp_path / "run.safetensors", lane.config, state, backbone.content)
    loaded = weights.load(file, lane.config, backbone)
    for name, one in loaded.method.folded().items():
        assert torch.equal(one, state[f"prompt.{name}"])


def test_a_rate_for_an_offset_is_of_this_method_alone(make_run):
    with pytest.raises(InputError, match=r"train.lrs.offset is the rate of nothing: this run trains prompt, head"):
        Run.parse(make_run("prompt_tuning", train__lrs={"offset": 1e-3}))


def test_by_default_the_whole_text_is_offset():
    run = compose.read(compose.composed(["method=dept", "task=rte", "task.max_length=77"]))
    assert run.prompt["offset_length"] == 77 and run.train.lrs == {"offset": 1e-3}
