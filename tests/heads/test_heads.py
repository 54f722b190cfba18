"""Heads read the real [CLS]."""

from types import SimpleNamespace

import numpy as np
import torch

from ptuning.heads.base import HeadContext
from ptuning.heads.choice import Choice
from ptuning.heads.classification import Classification, Pooler
from ptuning.heads.span import Span
from ptuning.heads.token import Token
from ptuning.seeds import Streams, generator


def head(kind, labels):
    config = SimpleNamespace(train=SimpleNamespace(head_dropout=0.0), backbone=SimpleNamespace(pooler="none"))
    task = SimpleNamespace(labels=tuple(map(str, range(labels))))
    return kind(HeadContext(config, task, None, SimpleNamespace(hidden=8), Streams(1)))


REAL = torch.ones(2, 5, dtype=torch.bool)


def test_classification_reads_only_the_first_vector():
    classify = head(Classification, 3)
    hidden = torch.randn(2, 5, 8)
    torch.testing.assert_close(classify(hidden, REAL), hidden[:, 0] @ classify.linear.weight.T)


def test_choice_scores_each_sequence_and_groups_by_example():
    choose = head(Choice, 2)
    hidden = torch.randn(6, 4, 8)
    logits = choose(hidden, REAL)
    assert logits.shape == (3, 2)
    torch.testing.assert_close(logits[1], (hidden[2:4, 0] @ choose.linear.weight.T).flatten())


def test_token_loss_counts_tokens_that_have_a_target_alone():
    tag = head(Token, 3)
    logits, targets = torch.randn(2, 5, 3), torch.tensor([[1, -100, 2], [0, -100, -100]])
    expected = -torch.stack([logits[0, 0, 1], logits[0, 2, 2], logits[1, 0, 0]])
    expected = expected + torch.stack([logits[0, 0], logits[0, 2], logits[1, 0]]).logsumexp(-1)
    torch.testing.assert_close(tag.loss(logits, targets), expected.sum())
    assert tag.weight(targets) == 3
    nothing = torch.full((2, 5), -100)
    assert tag.loss(logits, nothing) == 0 and tag.weight(nothing) == 1


def test_token_predictions_are_labels_and_not_finite_where_the_logits_are_not():
    logits = torch.tensor([[[0.0, 2, 1], [3, 2, 1]], [[0, 1, float("nan")], [0, 0, 9]]])
    first, second = head(Token, 3).predictions(logits, np.array([2, 1]))
    assert first.tolist() == [1, 0]
    assert len(second) == 1 and np.isnan(second[0])


def test_span_looks_at_no_padding():
    find = head(Span, 2)
    hidden, real = torch.randn(1, 4, 8), torch.tensor([[True, True, True, False]])
    logits, targets = find(hidden, real), torch.tensor([[1, 2]])
    torch.testing.assert_close(find.loss(logits, targets), find.loss(find(hidden[:, :3], real[:, :3]), targets))
    assert [one.shape for one in find.predictions(logits.detach(), np.array([3]))] == [(3, 2)]


def test_a_pooler_starts_from_the_checkpoints_weights():
    state = {"dense.weight": torch.randn(8, 8), "dense.bias": torch.randn(8)}
    pooler = Pooler(8, generator(1, "head"), state)
    x = torch.randn(3, 8)
    torch.testing.assert_close(pooler(x), torch.tanh(x @ state["dense.weight"].T + state["dense.bias"]))
