"""Where a prompt stands: tokens, types, positions and [CLS], written out by hand."""

import pytest
import torch

from ptuning.errors import InputError
from ptuning.layout import Layout, TokenSequence, collate, lay_out

#                         [CLS] x   x   [SEP] y   [SEP]
PAIR = TokenSequence([101, 11, 12, 102, 21, 102], [0, 0, 0, 0, 1, 1], infix=3)


def test_input_prompt_prefix_shifts_every_real_token():
    laid = lay_out(PAIR, Layout(2, 2, "prefix", "shift"), first_position=0)
    assert laid.input_ids == [0, 0, 101, 11, 12, 102, 21, 102]
    assert laid.slots == [0, 1, -1, -1, -1, -1, -1, -1]
    assert laid.position_ids == [0, 1, 2, 3, 4, 5, 6, 7]
    assert laid.token_type_ids == [0, 0, 0, 0, 0, 0, 1, 1]
    assert laid.cls == 2


def test_input_prompt_infix_stands_after_the_first_segments_last_token():
    laid = lay_out(PAIR, Layout(2, 2, "infix", "shift"), first_position=0)
    assert laid.input_ids == [101, 11, 12, 0, 0, 102, 21, 102]
    assert laid.slots == [-1, -1, -1, 0, 1, -1, -1, -1]
    assert laid.position_ids == [0, 1, 2, 3, 4, 5, 6, 7]
    assert laid.cls == 0


def test_input_prompt_keep_leaves_real_positions_and_shares_its_own():
    laid = lay_out(PAIR, Layout(2, 2, "infix", "keep"), first_position=2)
    assert laid.position_ids == [2, 3, 4, 5, 5, 5, 6, 7]


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
    laid = lay_out(PAIR, Layout(0, 4, placement, positions), first_position=0)
    assert laid.input_ids == PAIR.input_ids
    assert laid.position_ids == expected
    assert laid.cls == 0


def test_collate_pads_on_the_right_and_masks_padding():
    rows = [lay_out(PAIR, Layout(), 0), lay_out(TokenSequence([101, 11, 102], [0, 0, 0], 2), Layout(1, 1), 0)]
    batch = collate(rows, 7, pad_id=9, first_position=0, device=torch.device("cpu"))
    assert batch.input_ids.tolist() == [[101, 11, 12, 102, 21, 102, 9], [0, 101, 11, 102, 9, 9, 9]]
    assert batch.attention_mask.sum(1).tolist() == [6, 4]
    assert batch.cls.tolist() == [0, 1]


def test_a_prompt_past_the_position_table_is_refused():
    Layout(0, 100, positions="keep").check(max_length=128, max_positions=160)
    Layout(0, 32, positions="shift").check(max_length=128, max_positions=160)
    with pytest.raises(InputError, match=r"prompt.length=33 .*shorten prompt.length to 32"):
        Layout(0, 33, positions="shift").check(max_length=128, max_positions=160)
    with pytest.raises(InputError, match=r"set task.max_length to 160"):
        Layout(0, 1, positions="keep").check(max_length=200, max_positions=160)
