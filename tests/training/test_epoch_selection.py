"""Named selection rules."""

import pytest

from ptuning.errors import InputError
from ptuning.training import epoch_selection


def test_best_dev_takes_the_first_of_equals_and_last_the_last():
    scores = [50.0, 70.0, 60.0, 70.0]
    assert epoch_selection.rule("best_dev")(scores) == 1
    assert epoch_selection.rule("last")(scores) == 3


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="choose one of best_dev, last"):
        epoch_selection.rule("best_test")


@pytest.mark.parametrize(
    ("scores", "patience", "last"),
    [([1, 2], 1, None), ([2, 1], 1, 2), ([2, 1], 2, None), ([2, 2, 3, 1, 1, 4], 2, 5), ([2, 1], None, None)],
)
def test_patience_counts_evaluations_since_the_best(scores, patience, last):
    assert epoch_selection.stopped_after(scores, patience) == last
