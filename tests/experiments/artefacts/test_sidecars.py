"""What committed tables and figures ask for stays: the same runs, the same ones of them there, the same ones missing.

`golden/sidecars.json` lists them by the stems of their files, as they were composed before conf/ was put in order:
`{"table2_small": {"cb-minilm_l6-...-<id>": true, ...}}`, false for a run without a record.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.artefacts.remake import artefact
from ptuning.records import store
from ptuning.records.identity import run_name

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((Path(__file__).parent / "golden/sidecars.json").read_text())
SIDECARS = {file.name.removesuffix(".records.json"): file for file in (ROOT / "results").rglob("*_small.records.json")}


def composed(sidecar: Path) -> dict[str, bool]:
    """The names of the runs that it is made from, and whether each has a record."""
    told = json.loads(sidecar.read_text())
    runs = artefact(told["name"]).runs([*told["overrides"], f'runtime.results="{ROOT / "results"}"'])
    return {run_name(run): store.find(run) is not None for run in runs}


def test_every_committed_table_and_figure_is_among_them():
    assert SIDECARS.keys() == GOLDEN.keys()


@pytest.mark.parametrize("stem", GOLDEN)
def test_its_overrides_compose_to_the_same_runs(stem):
    assert composed(SIDECARS[stem]) == GOLDEN[stem]


def test_table_2_has_33_of_its_45_records():
    assert (sum(GOLDEN["table2_small"].values()), len(GOLDEN["table2_small"])) == (33, 45)
