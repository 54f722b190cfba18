"""Notebooks run on committed results, and their executed copies are what running them gives."""

import ast
import base64
import runpy
import sys
import tempfile

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import v4

from experiments import notebooks
from ptuning.errors import InputError

each = pytest.mark.parametrize("source", notebooks.sources([], notebooks.FOLDER), ids=lambda source: source.stem)


def executed(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


@each
def test_a_notebook_prints_what_its_executed_copy_shows(source, monkeypatch, capsys):
    monkeypatch.chdir(source.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    plt.switch_backend("Agg")
    runpy.run_path(str(source))
    plt.close("all")
    shown = capsys.readouterr().out
    assert shown.strip()
    assert shown == notebooks.printed(executed(source)), "the executed copy is out of date: make notebooks"


@each
def test_the_executed_copy_has_the_same_cells(source):
    cells = [
        [(cell.cell_type, cell.source) for cell in one.cells] for one in (notebooks.read(source), executed(source))
    ]
    assert cells[0] == cells[1]


def prints(source):
    """Whether running it prints, as far as it does not call a function of its own that does."""
    body = [node for node in ast.parse(source).body if not isinstance(node, ast.FunctionDef)]
    return any(isinstance(node, ast.Name) and node.id == "print" for part in body for node in ast.walk(part))


@each
def test_the_executed_copy_is_as_it_is_written_and_whole(source):
    notebook = executed(source)
    assert notebooks.text(notebooks.stable(notebook)) == source.with_suffix(".ipynb").read_text()
    notebooks.check(notebook, source.name)
    for cell in notebook.cells:
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", ["text"])}
        assert cell.cell_type != "code" or not prints(cell.source) or "text" in kinds
        assert "plt.show()" not in cell.source or "image/png" in kinds


def ran(text="1\n", data=None):
    """A notebook as a kernel leaves it: with random ids, times, versions, warnings and the state of widgets."""
    shown = data or {"image/png": base64.b64encode(b"png").decode(), "application/vnd.jupyter.widget-view+json": {}}
    outputs = [
        v4.new_output("stream", name="stderr", text="  0%|          | 0/2"),
        v4.new_output("stream", name="stdout", text=text),
        v4.new_output("display_data", shown, metadata={"image/png": {"width": 640}}),
        v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "9f2"}}),
    ]
    times = {"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}}
    cell = v4.new_code_cell("print(1)", execution_count=7, outputs=outputs, metadata=times)
    metadata = {"language_info": {"name": "python", "version": "3.12.1"}, "widgets": {}}
    return v4.new_notebook(cells=[v4.new_markdown_cell("# A title"), cell], metadata=metadata)


def test_what_another_execution_would_not_give_again_is_left_out():
    one, other = (notebooks.stable(ran()) for _ in range(2))
    assert notebooks.text(one) == notebooks.text(other) == notebooks.text(notebooks.stable(one))
    assert [cell.id for cell in one.cells] == ["cell-1", "cell-2"]
    cell = one.cells[1]
    assert (cell.execution_count, cell.metadata) == (1, {})
    assert [(output.output_type, output.get("metadata")) for output in cell.outputs] == [
        ("stream", None),
        ("display_data", {}),
    ]
    assert list(cell.outputs[1].data) == ["image/png"]
    assert notebooks.printed(one) == "1\n"
    for trace in ("2026", "3.12", "widget", "stderr"):
        assert trace not in notebooks.text(one)


@pytest.mark.parametrize("text", [f"{notebooks.ROOT}/results", f"in {tempfile.gettempdir()}/a", "<Axes at 0x7f00>"])
def test_a_folder_of_this_machine_or_a_place_in_its_memory_is_refused(text):
    for notebook in (ran(text), ran(data={"text/plain": text})):
        with pytest.raises(InputError, match=r"a\.py, cell 2: it shows"):
            notebooks.check(notebooks.stable(notebook), "a.py")
    notebooks.check(notebooks.stable(ran("results/runs")), "a.py")


def test_a_failing_cell_is_named_and_the_other_notebooks_are_written(tmp_path, capsys):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(
        f"# %%\nimport sys\nprint(sys.executable == {sys.executable!r})\n"
        "# %%\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
    )
    bad.write_text("# %% [markdown]\n# # Bad\n\n# %%\nprint({}['here'])\n")
    assert notebooks.main([], tmp_path) == 1
    assert "error: bad.py, cell 2: KeyError: 'here'; run it with" in capsys.readouterr().err
    assert not bad.with_suffix(".ipynb").exists()
    first = good.with_suffix(".ipynb").read_bytes()
    assert notebooks.printed(executed(good)) == "True\n", "it runs in this interpreter"
    assert notebooks.main(["good"], tmp_path) == 0
    assert good.with_suffix(".ipynb").read_bytes() == first


def test_a_notebook_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="error: 'other' is not a notebook: choose from "):
        notebooks.main(["other"])
