"""What holds for every run that is not refused, whatever it is made of."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

from ptuning.backbones import load
from ptuning.backbones.backbone import Backbone
from ptuning.data.encoded import Encoded
from ptuning.launch import compose
from ptuning.methods.base import Method
from ptuning.parsed import Run
from ptuning.prompts.reparameterizations.base import Reparameterization
from ptuning.records import weights
from ptuning.run import build_lane, run
from ptuning.training import evaluate, forward
from ptuning.training.adapter import Adapter, AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.datasets import DatasetCache
from ptuning.training.lanes import Lane, LaneTask
from ptuning.training.predictions import predict
from tests.matrix import cases
from tests.matrix.covering import Case
from tests.training.test_lanes import train_all

# What each adapter predicted for each set of examples.
Evaluated = dict[tuple[Adapter, Encoded], list[np.ndarray] | Exception]
FROZEN: dict[str, tuple[Backbone, DatasetCache]] = {}  # by family: shared by all runs that leave the backbone as it is


@dataclasses.dataclass
class Ready:
    """A run that was not refused, and another that can share its passes."""

    run: Run
    other: Run
    backbone: Backbone
    datasets: DatasetCache
    lane: Lane  # of the run alone

    def build(self, run: Run) -> Lane:
        return build_lane(run, self.datasets, self.backbone)


def prepare(case: Case, folder: Path) -> Ready:
    """All that a run does before it trains. Raises InputError where the case is refused."""
    config = compose.read(compose.composed(cases.overrides(case, folder)))
    first = Run.parse(config)
    longer = config.prompt
    if longer is not None and longer["placement"] != "template":  # which has so many places
        longer = longer | {"length": longer["length"] + 2}
    other = Run.parse(config.model_copy(update={"seed": config.seed + 1, "prompt": longer}))
    run([source.config for one in (first, other) for source in one.sources])
    backbone, datasets = _loaded(first)
    return Ready(first, other, backbone, datasets, build_lane(first, datasets, backbone))


def check(ready: Ready, folder: Path) -> None:
    """Train the run, and assert what has to hold."""
    lane, backbone = ready.lane, ready.backbone
    before = copy.deepcopy((backbone.state_dict(), lane.adapter.state_dict()))
    with watched(lane.adapter.method) as gradients:
        evaluated = train(backbone, [lane])
    for name, gradient in gradients.items():
        assert gradient.all(), f"no gradient reaches some of the {name}"
    only_prompt_and_head_changed(ready, *before)
    answers = answered(ready, lane.adapter)
    a_masked_prompt_is_the_plain_backbone(ready, answers)
    if not ready.run.trains_backbone:
        packed_equals_solo(ready, answers, evaluated)
    saved_predicts_the_same(ready, answers, folder)


def train(backbone: Backbone, lanes: list[Lane]) -> Evaluated:
    """Train them together. What they predicted when they were last evaluated."""
    found: Evaluated = {}

    def kept(
        backbone: Backbone, batches: Sequence[AdapterBatch], budget: Budget
    ) -> list[list[np.ndarray] | Exception]:
        predictions = predict(backbone, batches, budget)
        found.update({(batch.adapter, batch.examples): one for batch, one in zip(batches, predictions, strict=True)})
        return predictions

    with mock.patch.object(evaluate, "predict", kept):
        train_all(backbone, lanes)
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
        assert lane.status == "finished"
    return found


def only_prompt_and_head_changed(ready: Ready, backbone: Mapping[str, Tensor], adapter: Mapping[str, Tensor]) -> None:
    changed = _changed(backbone, ready.backbone.state_dict())
    assert bool(changed) == ready.run.trains_backbone, f"of the backbone changed: {changed}"
    assert _changed(adapter, ready.lane.adapter.state_dict()) == list(adapter)


def a_masked_prompt_is_the_plain_backbone(ready: Ready, answers: Answers) -> None:
    """Where positions are kept, a prompt that no token sees leaves everything as it is, and one that they see does
    not. What a method learns beside its prompt does nothing where it is zero."""
    adapter, layout = ready.lane.adapter, ready.lane.adapter.layout
    if layout.length == 0 or layout.positions != "keep":
        return
    with masked(), zeroed(adapter.method):
        unseen = answered(ready, adapter)
    plain = copy.copy(adapter)
    plain._modules = adapter._modules | {"method": Method(None, ready.backbone, None)}
    expected = answered(ready, plain)
    unseen.agree(expected, 1e-5)
    assert answers != expected  # by little: a tiny random backbone hardly mixes tokens


def packed_equals_solo(ready: Ready, answers: Answers, evaluated: Evaluated) -> None:
    """Scores are those of the lane's own predictions; two of which may change places by rounding errors alone (those
    for a word that a text has twice), so that it is the predictions which must agree."""
    packed = [ready.build(run) for run in (ready.run, ready.other)]
    packed_evaluated = train(ready.backbone, packed)
    (line,), (alone,) = packed[0].history, ready.lane.history
    assert line.loss == alone.loss or line.loss == pytest.approx(alone.loss, rel=2e-4)  # None where no step is taken
    for lane, history, found in ((packed[0], line, packed_evaluated), (ready.lane, alone, evaluated)):
        for split, scores in {"dev": history.dev, **history.tests}.items():
            assert scores == pytest.approx(scored(lane.tasks[0], split, found)), split
    for split in ("dev", *alone.tests):
        mine, other = (
            predicted(packed[0].tasks[0], split, packed_evaluated),
            predicted(ready.lane.tasks[0], split, evaluated),
        )
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_allclose(one, two, atol=2e-3, rtol=2e-3)
    answered(ready, packed[0].adapter).agree(answers, 2e-3)


def predicted(lane_task: LaneTask, split: str, found: Evaluated) -> list[np.ndarray]:
    predictions = found[lane_task.adapter, lane_task.batch(split).examples]
    assert not isinstance(predictions, Exception)
    return predictions


def scored(lane_task: LaneTask, split: str, found: Evaluated) -> dict[str, float]:
    """The scores of what was predicted for the lane's own examples."""
    examples, encoded = lane_task.dataset.data.examples(split), lane_task.batch(split).examples
    predictions, adapter = predicted(lane_task, split, found), lane_task.adapter
    answers = adapter.collect(examples, encoded, predictions)
    return adapter.task.score(examples, answers) | adapter.unread(examples, adapter.texts(predictions))


def saved_predicts_the_same(ready: Ready, answers: Answers, folder: Path) -> None:
    config = ready.run.config
    state = weights.trained_state(ready.lane.tasks, ready.backbone)
    file = weights.write(folder / "run.safetensors", config, state, ready.backbone.content)
    backbone, _ = _loaded(ready.run)
    loaded = weights.load(file, config, backbone)
    answered(dataclasses.replace(ready, backbone=backbone), loaded).agree(answers, 1e-5)


@dataclasses.dataclass(eq=False)
class Answers:
    """To the dev set: what is kept of them, and their loss, which tells more where that is labels alone."""

    predictions: list[np.ndarray]
    loss: float

    def __eq__(self, other: object) -> bool:
        """To the last bit."""
        assert isinstance(other, Answers)
        same = all(map(np.array_equal, self.predictions, other.predictions))
        return same and self.loss == other.loss

    def agree(self, other: Answers, tolerance: float) -> None:
        assert self.loss == pytest.approx(other.loss, rel=tolerance)
        for one, two in zip(self.predictions, other.predictions, strict=True):
            np.testing.assert_allclose(one, two, atol=tolerance, rtol=tolerance)


def answered(ready: Ready, adapter: Adapter) -> Answers:
    part = dataclasses.replace(ready.lane.tasks[0].batch("dev"), adapter=adapter)
    (predictions,) = predict(ready.backbone, [part], Budget(4096))
    ready.backbone.eval(), adapter.eval()
    with torch.inference_mode(), forward.forward(ready.backbone, [part]) as (logits,):
        return Answers(predictions, adapter.head.loss(logits, part.targets).item())


@contextmanager
def watched(method: Method) -> Iterator[dict[str, Tensor]]:
    """How large the gradients are that reach the prompt in the first pass that trains it: at each of its rows `[P]`,
    and at each site's keys and values of each row, `[sites, 2, P]`."""
    found: dict[str, Tensor] = {}

    def watch(name: str, tensor: Tensor, dims: tuple[int, ...]) -> None:
        def note(gradient: Tensor) -> None:
            found.setdefault(name, gradient.abs().amax(dim=dims))

        if tensor.requires_grad:
            tensor.register_hook(note)

    def deep_prompt(*arguments: Any) -> Any:
        prompt = type(method).deep_prompt(method, *arguments)
        if prompt is not None:
            watch("sites", prompt.values, (2, 4))
        return prompt

    producers = [module for module in method.modules() if isinstance(module, Reparameterization)]
    hooks = [
        one.register_forward_hook(lambda _, _inputs, rows: watch("prompt's rows", rows, (1,))) for one in producers
    ]
    with mock.patch.object(method, "deep_prompt", deep_prompt):
        yield found
    assert not hooks or found, "no gradient reaches the prompt"
    for hook in hooks:
        hook.remove()


@contextmanager
def masked() -> Iterator[None]:
    """In this block no token attends to a prompt: neither to its rows among the tokens, nor to its keys and values."""
    collate, site_prompts = forward.collate, forward.site_prompts

    def masked_rows(*arguments: Any) -> Any:
        batch = collate(*arguments)
        return dataclasses.replace(batch, attention_mask=batch.attention_mask * (batch.slots < 0))

    def masked_sites(deep: Any, sizes: Any) -> Any:
        return {
            site: dataclasses.replace(prompt, prompt_mask=torch.zeros(sum(sizes), prompt.key.shape[2]).bool())
            for site, prompt in site_prompts(deep, sizes).items()
        }

    with (
        mock.patch.object(forward, "collate", masked_rows),
        mock.patch.object(forward, "site_prompts", masked_sites),
    ):
        yield


@contextmanager
def zeroed(method: Method) -> Iterator[None]:
    """In this block what the method trains beside its prompt is zero."""
    beside = [one for name, group in method.parameter_groups().items() if name != "prompt" for one in group]
    kept = [one.detach().clone() for one in beside]
    with torch.no_grad():
        for one in beside:
            one.zero_()
        yield
        for one, value in zip(beside, kept, strict=True):
            one.copy_(value)


def _changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[str]:
    return [name for name, value in before.items() if not torch.equal(value, after[name])]


def _loaded(run: Run) -> tuple[Backbone, DatasetCache]:
    """The run's backbone as it was pretrained, and the data that it has encoded."""
    name = run.config.backbone.name
    if not run.trains_backbone and name in FROZEN:
        return FROZEN[name]
    backbone = load.load(run.config.backbone, run.config.train)
    loaded = backbone, DatasetCache(backbone)
    return loaded if run.trains_backbone else FROZEN.setdefault(name, loaded)
