"""Table 1 says what the methods' own files declare, and beside it what the paper prints."""

from __future__ import annotations

import pytest

from experiments.artefacts import published
from experiments.papers.p_tuning_v2.table1 import COLUMNS, TABLE
from ptuning import methods
from ptuning.errors import InputError
from ptuning.launch import compose


@pytest.fixture(scope="module")
def rows():
    made = TABLE.build(TABLE.runs(["profile=laptop"]), "table1")
    (frame,) = made.frames
    return {row["Method"]: row for row in frame.to_dict("records")}


def test_our_rows_are_what_classes_and_files_declare(rows):
    ours = {name: row for name, row in rows.items() if not name.startswith("paper:")}
    assert set(ours) == {"P-Tuning", "PT", "PT-2"}
    for label, method in (("P-Tuning", "p_tuning"), ("PT", "prompt_tuning"), ("PT-2", "p_tuning_v2")):
        own = compose.read(compose.composed([f"method={method}"]))
        assert (ours[label]["Deep PT"] == "yes") == (methods.load(method).kind == "deep")
        assert own.prompt["reparameterization"]["name"] in ours[label]["Re-param."].split(" or ")
        speaks = "yes" if method == "p_tuning_v2" else "no"
        assert ours[label]["No verbalizer"] == speaks
    assert ours["PT-2"]["Multi-task"] == "yes" and ours["PT"]["Multi-task"] == "no"


def test_they_agree_with_the_paper_where_it_can_be_asked(rows):
    """Its "depends" is ours of two ways; that Prompt Tuning learns several tasks at once, no file of ours says."""
    for ours, papers in (("P-Tuning", "P-tuning"), ("PT", "Prompt tuning"), ("PT-2", "P-tuning v2")):
        printed = {column: rows[f"paper: {papers}"][column].rstrip("ᵘ") for column in COLUMNS}
        for column in ("Deep PT", "No verbalizer"):
            assert rows[ours][column] == printed[column]
        assert rows[ours]["Task"] in printed["Task"]
        assert rows[ours]["Re-param."] in (printed["Re-param."].lower(), "none or mlp")


def test_every_published_cell_has_its_confidence(rows):
    values = published.read(TABLE.experiment)
    assert len(values) == 5 * len(COLUMNS)
    papers = [row for name, row in rows.items() if name.startswith("paper:")]
    assert len(papers) == 5 and all(row[column].endswith("ᵘ") for row in papers for column in COLUMNS)


def test_a_method_without_a_prompt_has_no_row():
    with pytest.raises(InputError, match=r"^method=fine_tuning has no prompt, so no row in table1"):
        list(TABLE.rows([compose.read(compose.composed(["method=fine_tuning"]))]))
