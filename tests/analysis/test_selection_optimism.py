"""Selection optimism of the best dev epoch, on answers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from ptuning.analysis import selection_optimism


def answers(epochs, examples, share, seed=0):
    return (np.random.default_rng(seed).random((epochs, examples)) < share).astype(int)


def test_one_epoch_leaves_nothing_to_choose():
    found = selection_optimism.optimism([answers(1, 31, 0.7)])
    assert found.difference == pytest.approx(0)
    assert found.interval == pytest.approx((0, 0))


def test_an_epoch_that_is_best_everywhere_has_no_optimism():
    right = np.zeros((3, 40), int)
    right[1] = 1
    found = selection_optimism.optimism([right])
    assert (found.best_dev, found.held_out) == (100, 100)


def test_luck_among_many_epochs_is_found_out():
    """Fifty epochs that each answer half of 100 examples rightly, by chance: the best looks better than it is."""
    runs = [answers(50, 100, 0.5, seed) for seed in range(20)]
    found = selection_optimism.optimism(runs)
    assert found.best_dev > 60
    assert found.held_out == pytest.approx(50, abs=3)
    assert 0 < found.interval[0] < found.difference < found.interval[1]


def test_the_held_out_score_equals_a_plain_count():
    """Two halvings written out: each half's examples answered by the epoch that the other half likes."""
    run = np.array([[1, 1, 0, 0], [0, 1, 1, 1]])
    halves = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], float)
    # {0, 1} likes epoch 0 (2:1), which answers 2, 3 with 0 right; {2, 3} likes 1, which answers 0, 1 with 1 right.
    # {0, 2} likes epoch 0 (1:1, the first), which answers 1, 3 with 1 right; {1, 3} likes 1: 0, 2 with 1 right.
    assert selection_optimism._held_out(run, halves, np.ones(4)) == pytest.approx((0 + 1 + 1 + 1) / 8)


def test_copies_of_an_example_stand_in_one_half():
    """An example counted twice is as one of double weight: what it chooses, it does not report."""
    run = np.array([[1, 0, 0], [0, 1, 1]])
    halves = np.array([[1, 0, 0]], float)
    assert selection_optimism._held_out(run, halves, np.array([2.0, 1.0, 0.0])) == 0


def test_it_is_the_same_twice():
    runs = [answers(5, 40, 0.6)]
    assert selection_optimism.optimism(runs) == selection_optimism.optimism(runs)


@pytest.mark.parametrize(
    ("history", "kept"), [([], False), ([{"right": ""}], False), ([{}], False), ([{"right": "10"}], True)]
)
def test_which_records_have_kept_their_answers(history, kept):
    assert selection_optimism.has_answers({"status": "finished", "history": history}) is kept
    assert not selection_optimism.has_answers({"status": "diverged", "history": history})


def test_the_interval_covers_the_truth():
    """Ten epochs of like quality on 56 examples, many times over: the optimism that a large sample of such runs has
    lies in the interval in most trials."""
    truth = np.mean(
        [selection_optimism.optimism([answers(10, 56, 0.7, 1000 + seed)]).difference for seed in range(40)]
    )
    found = [selection_optimism.optimism([answers(10, 56, 0.7, seed)]).interval for seed in range(20)]
    assert sum(low <= truth <= high for low, high in found) >= 18
