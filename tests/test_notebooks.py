"""Notebooks run on committed records, and their executed copies have the same source."""

import json
import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, monkeypatch):
    import matplotlib

    monkeypatch.chdir(notebook.parent)
    matplotlib.use("Agg")
    names = runpy.run_path(str(notebook))
    assert len(names["runs"]) > 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_executed_copy_has_the_same_source(notebook):
    cells = json.loads(notebook.with_suffix(".ipynb").read_text())["cells"]
    executed = ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
    blocks = notebook.read_text().split("# %%")[1:]
    written = [block.strip() for block in blocks if not block.startswith(" [markdown]")]
    assert executed == written
    assert all(cell["outputs"] for cell in cells if cell["cell_type"] == "code" and "print" in "".join(cell["source"]))
