"""Heads read the real [CLS]."""

import torch
from torch import nn

from ptuning.heads import Choice, Classification, Pooler
from ptuning.seeds import generator


def head(kind, labels):
    return kind(8, labels, nn.Identity(), 0.0, generator(1, "head"), generator(1, "dropout"))


def test_classification_reads_only_the_vector_at_cls():
    classify = head(Classification, 3)
    hidden, cls = torch.randn(2, 5, 8), torch.tensor([0, 3])
    logits = classify(hidden, cls)
    expected = torch.stack([hidden[0, 0], hidden[1, 3]]) @ classify.linear.weight.T
    torch.testing.assert_close(logits, expected)


def test_choice_scores_each_sequence_and_groups_by_example():
    choose = head(Choice, 2)
    hidden, cls = torch.randn(6, 4, 8), torch.tensor([1, 1, 1, 1, 1, 1])
    logits = choose(hidden, cls)
    assert logits.shape == (3, 2)
    torch.testing.assert_close(logits[1], (hidden[2:4, 1] @ choose.linear.weight.T).flatten())


def test_a_pooler_starts_from_the_checkpoints_weights():
    state = {"dense.weight": torch.randn(8, 8), "dense.bias": torch.randn(8)}
    pooler = Pooler(8, generator(1, "head"), state)
    x = torch.randn(3, 8)
    torch.testing.assert_close(pooler(x), torch.tanh(x @ state["dense.weight"].T + state["dense.bias"]))
