"""Table 4: a row a head."""

import pytest

from experiments.papers.p_tuning_v2.table4 import TABLE
from ptuning.errors import InputError
from ptuning.launch import compose

SWEEP = ["experiment=p_tuning_v2/table4", "profile=laptop"]


def test_its_runs_have_a_row_each_and_differ_in_the_head_alone():
    runs = compose.expand(SWEEP)
    cells = TABLE.cells(runs)
    assert len(cells) == len(runs) == 8
    assert {method for _, method, _ in cells} == set(TABLE.methods)
    assert {title for *_, title in cells} == {column.title for column in TABLE.columns}
    first, second = (one for one in runs if one.task.name == "cb")
    assert first.model_copy(update={"head": second.head, "train": second.train}) == second


def test_a_run_with_another_head_has_no_row():
    (run, *_) = compose.expand([*SWEEP, "head=classification"])
    with pytest.raises(InputError, match=r"has no row in table4: leave it out, the rows are PT-2, CLS & linear head"):
        TABLE.cells([run])
