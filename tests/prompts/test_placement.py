"""Where a prompt stands: tokens, types, positions and [CLS], written out by hand."""

import numpy as np
import pytest
import torch

from ptuning.data.encoded import Encoded
from ptuning.errors import InputError
from ptuning.prompts.placement import Layout, collate, table


def encoded(*sequences, choices=1):
    """Sequences given as (tokens, token types, infix)."""
    tokens, types, infix = zip(*sequences, strict=True)
    return Encoded(
        tokens=np.concatenate(tokens),
        types=np.concatenate(types),
        starts=np.cumsum([0, *map(len, tokens)]),
        infix=np.array(infix),
        targets=np.zeros(len(sequences) // choices, dtype=int),
        target_starts=np.arange(len(sequences) // choices + 1),
        owners=np.arange(len(sequences) // choices),
        choices=choices,
        reads=np.zeros((len(sequences), 1), dtype=int),
    )


#        [CLS] x   x   [SEP] y   [SEP]
PAIR = ([101, 11, 12, 102, 21, 102], [0, 0, 0, 0, 1, 1], 3)
SHORT = ([101, 11, 102], [0, 0, 0], 2)


def laid(layout, first_position=0, sequence=PAIR):
    """The one row of a batch of one."""
    width = len(sequence[0]) + layout.inserted
    batch = collate([table(encoded(sequence), np.array([0]), layout, width, 9, first_position)], torch.device("cpu"))
    return {name: field[0].tolist() for name, field in vars(batch).items()}


def test_input_prompt_prefix_shifts_every_real_token():
    row = laid(Layout(2, 2, "prefix", "shift"))
    assert row["input_ids"] == [0, 0, 101, 11, 12, 102, 21, 102]
    assert row["slots"] == [0, 1, -1, -1, -1, -1, -1, -1]
    assert row["position_ids"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert row["token_type_ids"] == [0, 0, 0, 0, 0, 0, 1, 1]
    assert row["reads"] == [2]


def test_input_prompt_infix_stands_after_the_first_segments_last_token():
    row = laid(Layout(2, 2, "infix", "shift"))
    assert row["input_ids"] == [101, 11, 12, 0, 0, 102, 21, 102]
    assert row["slots"] == [-1, -1, -1, 0, 1, -1, -1, -1]
    assert row["position_ids"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert row["reads"] == [0]


def test_input_prompt_keep_leaves_real_positions_and_shares_its_own():
    assert laid(Layout(2, 2, "infix", "keep"), first_position=2)["position_ids"] == [2, 3, 4, 5, 5, 5, 6, 7]


def test_an_infix_prompt_has_the_token_type_of_the_segment_it_ends():
    late = ([101, 11, 102, 21, 102], [0, 0, 0, 1, 1], 4)
    assert laid(Layout(2, 2, "infix"), sequence=late)["token_type_ids"] == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("placement", "positions", "expected"),
    [
        ("prefix", "shift", [4, 5, 6, 7, 8, 9]),
        ("infix", "shift", [0, 1, 2, 7, 8, 9]),
        ("prefix", "keep", [0, 1, 2, 3, 4, 5]),
        ("infix", "keep", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_deep_prompt_inserts_nothing_and_moves_what_is_right_of_it(placement, positions, expected):
    row = laid(Layout(0, 4, placement, positions))
    assert row["input_ids"] == PAIR[0]
    assert row["position_ids"] == expected
    assert row["reads"] == [0]


def test_padding_is_on_the_right_and_masked():
    tables = [
        table(encoded(PAIR), np.array([0]), Layout(), 7, 9, 2),
        table(encoded(PAIR, SHORT), np.array([1]), Layout(1, 1), 7, 9, 2),
    ]
    batch = collate(tables, torch.device("cpu"))
    assert batch.input_ids.tolist() == [[101, 11, 12, 102, 21, 102, 9], [0, 101, 11, 102, 9, 9, 9]]
    assert batch.attention_mask.sum(1).tolist() == [6, 4]
    assert batch.position_ids[0].tolist() == [2, 3, 4, 5, 6, 7, 2]
    assert batch.reads.tolist() == [[0], [1]]


def test_an_examples_sequences_follow_one_another():
    examples = encoded(PAIR, SHORT, SHORT, PAIR, choices=2)
    assert examples.sequences(np.array([1, 0])).tolist() == [2, 3, 0, 1]
    assert examples.longest.tolist() == [6, 6]
    assert examples.lengths.tolist() == [6, 3, 3, 6]


def test_a_prompt_past_the_position_table_is_refused():
    Layout(0, 100, positions="keep").check(max_length=128, max_positions=160)
    Layout(0, 32, positions="shift").check(max_length=128, max_positions=160)
    with pytest.raises(InputError, match=r"prompt.length=33 .*shorten prompt.length to 32"):
        Layout(0, 33, positions="shift").check(max_length=128, max_positions=160)
    with pytest.raises(InputError, match=r"set task.max_length to 160"):
        Layout(0, 1, positions="keep").check(max_length=200, max_positions=160)


def test_rows_of_a_prompt_may_stand_apart():
    """As a template's do: one row before [CLS], two before the first separator, one at the end."""

    class Template(Layout):
        def before(self, examples, sequences):
            return np.array([[0, 3, 3, 6]] * len(sequences))

    row = laid(Template(4, 4, positions="shift"))
    assert row["input_ids"] == [0, 101, 11, 12, 0, 0, 102, 21, 102, 0]
    assert row["slots"] == [0, -1, -1, -1, 1, 2, -1, -1, -1, 3]
    assert row["position_ids"] == list(range(10))
    assert row["token_type_ids"] == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert row["reads"] == [1]
    assert laid(Template(4, 4, positions="keep"))["position_ids"] == [0, 0, 1, 2, 3, 3, 3, 4, 5, 6]
    assert laid(Template(0, 4, positions="shift"))["position_ids"] == [1, 2, 3, 6, 7, 8]


@pytest.mark.parametrize("positions", ["shift", "keep"])
@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("inserted", [0, 2])
def test_padding_on_the_left_moves_a_row_as_it_is(inserted, placement, positions):
    layout = Layout(inserted, 2, placement, positions)
    right, left = (
        collate([table(encoded(PAIR, SHORT), np.array([0, 1]), layout, 11, 9, 2, side)], torch.device("cpu"))
        for side in ("right", "left")
    )
    assert left.attention_mask[:, -3 - inserted :].all()
    for row, length in enumerate((len(PAIR[0]), len(SHORT[0]))):
        blank = 11 - length - inserted
        for name in ("input_ids", "token_type_ids", "position_ids", "attention_mask", "slots"):
            expected = getattr(right, name)[row].roll(blank)
            assert getattr(left, name)[row].tolist() == expected.tolist(), name
        assert left.reads[row] == right.reads[row] + blank
