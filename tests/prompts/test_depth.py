"""Prompt depth, written as in the paper."""

import pytest

from ptuning.errors import InputError
from ptuning.prompts.depth import layers


@pytest.mark.parametrize(
    ("depth", "expected"),
    [("all", tuple(range(1, 25))), ("17-24", tuple(range(17, 25))), ("5", (5,)), (5, (5,)), ([24, 1], (1, 24))],
)
def test_a_depth_names_layers_one_based_and_inclusive(depth, expected):
    assert layers(depth, 24) == expected


@pytest.mark.parametrize("depth", ["17-24", "0-3", "5-2", "top", 7, 0, [1, 9], [], "", "1-2-3", [1, "2"]])
def test_layers_that_the_backbone_lacks_are_refused(depth):
    with pytest.raises(InputError, match="the backbone has layers 1-6"):
        layers(depth, 6)
