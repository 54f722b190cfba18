"""Table 2 from records alone: a golden table that a person has read, gaps, and its sidecar."""

from pathlib import Path

import pytest

from experiments.artefacts import published
from experiments.papers.p_tuning_v2.table2 import TABLE as table2
from ptuning.analysis import cells
from ptuning.errors import InputError
from ptuning.records import store
from tests.experiments.records import fake_record

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def sweep(make_run):
    """Three seeds each of four cells: whole, with a gap, with a diverged run, and of generated data; and no others."""
    outcomes = {
        ("fine_tuning", "rte"): ([60, 70], [70, 60], [74, 70]),
        ("p_tuning_v2", "rte"): ([50, 71], None, [72]),
        ("p_tuning_v2", "cb"): ([80], "diverged", [82]),
        ("prompt_tuning", "wic"): ([51.25], [48.75], [50]),
    }
    runs = []
    for (method, task), seeds in outcomes.items():
        for seed, outcome in enumerate(seeds, start=1):
            config = make_run(method, task, seed=seed, data__train_rows=None, data__dev_rows=None)
            runs.append(config)
            if outcome == "diverged":
                store.write(config, fake_record(config, [], status="diverged"))
            elif outcome is not None:
                source = "miniature" if task == "wic" else "local"
                store.write(config, fake_record(config, outcome, source=source))
    return runs


def test_the_table_equals_the_one_that_was_read(sweep):
    made = table2.build(sweep, "table2")
    assert made.text == (GOLDEN / "table2.md").read_text()
    assert set(made.files) == {"md", "tex", "csv"}
    assert made.files["tex"] == (GOLDEN / "table2.tex").read_text()


def test_a_cell_is_mean_and_sample_deviation_or_a_gap(sweep):
    cells = table2.cells(sweep)
    whole = cells["tiny_bert", "FT", "RTE acc"]
    assert (whole.mean, whole.spread) == (pytest.approx(214 / 3), pytest.approx(2.3094, abs=1e-4))
    assert whole.text == "71.3 ± 2.3"
    gap = cells["tiny_bert", "PT-2", "RTE acc"]
    assert (gap.text, gap.mean, len(gap.missing)) == ("-- (2/3)", None, 1)
    assert cells["tiny_bert", "PT-2", "CB acc"].text == "-- (2/3) 1 diverged"


def test_the_selection_rule_is_applied_to_the_history(sweep):
    config = [run for run in sweep if (run.method, run.seed) == ("fine_tuning", 2)]
    assert cells.cell(config, "best_dev").scores == (70,)
    assert cells.cell(config, "last").scores == (60,)


def test_a_sweep_of_anything_but_seeds_is_not_averaged(make_run):
    runs = [make_run(prompt__length=length) for length in (4, 8)]
    with pytest.raises(InputError, match="has seed 1 more than once"):
        table2.cells(runs)


def test_every_cell_names_its_records_and_stands_where_it_says(sweep):
    made = table2.build(sweep, "table2")
    assert len(made.places) == 4
    for place in made.places:
        assert len(place.records) + len(place.missing) == 3
        assert all((sweep[0].runtime.results / "runs" / name).exists() for name in place.records)
        row = made.frames[place.frame].loc[place.row]
        assert (row["Backbone"], row["Method"]) == (place.keys["backbone"], place.keys["method"])
        assert row[place.column].startswith(place.text)


def test_all_of_the_papers_numbers_are_there_with_their_confidence():
    values = published.read(table2.experiment)
    assert len(values) == 4 * 3 * 8
    assert {value["confidence"] for value in values} <= set(published.CONFIDENCE)
    rows = table2.published_rows([column.title for column in table2.columns])
    assert len(rows) == 12
    assert all(all(cell[-1] in "ˢᵘᵈ" for cell in row[3:]) for row in rows)
    assert rows[0][:4] == ["paper: BERT-large 335M", "FT", "", "77.7ˢ"]
