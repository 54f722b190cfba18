"""The authors' recipe, as the benchmark has it, and ours: with the same weights and batches, the same losses."""

import copy

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

from experiments.benchmark import official
from ptuning.backbones import dropout, tiny
from ptuning.backbones.backbone import Backbone
from ptuning.data.encoded import IGNORED
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.training.budget import Budget
from ptuning.training.datasets import DatasetCache
from ptuning.training.lanes import Lane
from ptuning.training.loop import step

STEPS, WIDTH = 30, 128  # the authors pad every text to 128 tokens
MODELS = {"cb": official.Prefix, "wnut17": official.TokenPrefix}


def lane_and_backbone(task, *overrides):
    """A run in the paper's settings with every dropout off, on a tiny BERT with a pooler; and the bare model."""
    (config,) = compose.expand([
        "paper=p_tuning_v2", "backbone=bert_large", "method=p_tuning_v2", f"task={task}", "data=miniature",
        "data.train_rows=96", "data.dev_rows=4", "train.backbone_dropout=0", "train.head_dropout=0",
        "prompt.dropout=0", f"task.max_length={WIDTH}", *overrides,
    ])  # fmt: skip
    model, tokenizer = tiny.build("tiny_bert", initializer_range=0.1)  # so that prompts matter
    dropout.switch_off(model)
    bare, pooler = copy.deepcopy(model), copy.deepcopy(model.pooler.state_dict())
    model.pooler = None
    backbone = Backbone(model, tokenizer, pooler)
    run = Run.parse(config)
    return Lane.build(run, [DatasetCache(backbone).of(run, task)], backbone), backbone, bare


def theirs(task, lane, bare):
    """The authors' model with the weights of ours."""
    bare.set_attn_implementation("eager")
    model = MODELS[task](bare, lane.config.prompt["length"], len(lane.tasks[0].dataset.task.labels), dropout=0.0)
    with torch.no_grad():
        model.prefix.weight.copy_(lane.adapter.method.folded()["prompt"].flatten(1))
        model.classifier.load_state_dict(lane.adapter.head.linear.state_dict())
    return model.train()


def padded(batch):
    """A batch of ours as theirs reads it."""
    examples, sequences = batch.examples, batch.sequences
    filled = {
        "input_ids": np.zeros((len(sequences), WIDTH), int),
        "token_type_ids": np.zeros((len(sequences), WIDTH), int),
        "attention_mask": np.zeros((len(sequences), WIDTH), int),
    }
    targets = batch.targets.numpy()
    labels = targets[:, 0] if examples.reads is not None else np.full((len(sequences), WIDTH), IGNORED)
    for row, sequence in enumerate(sequences):
        start, length = examples.starts[sequence], examples.lengths[sequence]
        filled["input_ids"][row, :length] = examples.tokens[start : start + length]
        filled["token_type_ids"][row, :length] = examples.types[start : start + length]
        filled["attention_mask"][row, :length] = 1
        if labels.ndim == 2:
            labels[row, :length] = targets[row, :length]
    return {key: torch.from_numpy(value) for key, value in filled.items()} | {"labels": torch.from_numpy(labels)}


@pytest.mark.parametrize(
    ("task", "keys"),
    [("cb", ()), ("wnut17", ("train.schedule=exponential", "train.batch_size=16"))],
    ids=["cb-like", "wnut17-like"],
)
def test_ours_has_the_losses_of_the_authors_recipe(task, keys):
    lane, backbone, bare = lane_and_backbone(task, *keys)
    train = lane.config.train
    assert (train.optimizer, train.batching, train.precision, train.clip) == ("adamw_hf", "shuffled", "fp32", 1.0)
    model = theirs(task, lane, bare)
    start = model.prefix.weight.detach().clone()
    optimizer = official.Optimizer(model, train.lr)
    decay = {  # their Trainer's, after each step, and that of their NER scripts, after each epoch
        "linear": lambda: LambdaLR(optimizer.adamw, lambda number: 1 - number / lane.steps),
        "exponential": lambda: ExponentialLR(optimizer.adamw, 0.95),
    }[train.schedule]()
    backbone.train()
    batches, budget = iter(()), Budget(4096, overhead=64)  # in several passes
    for number in range(1, STEPS + 1):
        batch = next(batches, None)
        if batch is None:
            batches = lane.batches()
            batch = next(batches)
        loss = model(**padded(batch))
        loss.backward()
        (found,) = step(backbone, [(lane, batch.with_dropout(lane.steps_done))], budget)
        assert found.item() == pytest.approx(loss.item(), abs=1e-5), number
        optimizer.step()
        if train.schedule == "linear" or number % lane.steps_per_epoch == 0:
            decay.step()
    found, wanted = lane.adapter.method.folded()["prompt"].flatten(1), model.prefix.weight
    assert (found - start).abs().mean() > 0.01, "the prompt has moved"
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
