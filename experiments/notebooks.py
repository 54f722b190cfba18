"""Run notebooks/*.py and write each beside itself, executed, as .ipynb: `python -m experiments.notebooks [name ...]`.

The same sources, results and libraries give the same bytes, so that git shows a notebook as changed only when what it
says has changed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jupytext
import matplotlib
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode, v4
from tqdm import tqdm

from experiments.output import escape_unprintable
from ptuning.errors import InputError
from ptuning.files import write_atomic

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
TIMEOUT = 600  # seconds a cell
SHOWN = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/svg+xml")  # no widgets' state
# As the inline backend draws by default, but without matplotlib's version in the file.
PNG = "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'metadata': {'Software': None}}"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},  # no version: any that the project supports will do
}


def execute(source: Path) -> NotebookNode:
    """The notebook in `source`, its cells run in this interpreter. Raises InputError for the first one that fails."""
    notebook = read(source)
    with tempfile.TemporaryDirectory() as folder, _kernel(notebook, source.parent, folder) as client:
        for number, cell in enumerate(notebook.cells, 1):
            try:
                client.execute_cell(cell, number - 1)
            except (CellControlSignal, DeadKernelError) as error:
                raise InputError(
                    f"{source.name}, cell {number}: {_reason(error)}; run it with `python notebooks/{source.name}` "
                    "to see where."
                ) from None
    return notebook


@contextmanager
def _kernel(notebook: NotebookNode, at: Path, folder: str) -> Iterator[NotebookClient]:
    """A kernel that works in the folder `at`, with what it needs itself in the temporary `folder`."""
    kernel = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # none but this interpreter's own
        transport="ipc",  # no open port
        connection_file=f"{folder}/kernel.json",
    )
    client = NotebookClient(
        notebook, kernel, timeout=TIMEOUT, coalesce_streams=True, record_timing=False,
        resources={"metadata": {"path": str(at)}}, extra_arguments=[PNG],
    )  # fmt: skip
    with client.setup_kernel(env=_environment(folder), cleanup_kc=True):
        yield client


def read(source: Path) -> NotebookNode:
    """The cells in a file of jupytext's percent format, not yet run."""
    notebook: NotebookNode = jupytext.read(source, fmt="py:percent")
    return notebook


def _environment(profile: str) -> dict[str, str]:
    """The caller's, without what a user's own settings of IPython and matplotlib would change in a notebook."""
    return {
        **os.environ,
        "IPYTHONDIR": profile,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),
    }


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {' '.join(error.evalue.split())}".rstrip(".: ")
    return " ".join(str(error).split()).rstrip(".")


def stable(notebook: NotebookNode) -> NotebookNode:
    """`notebook` with nothing that another execution would not give again.

    Made from what is kept rather than by striking out what is not: source, printed text, and displayed data.
    """
    cells, run = [], 0
    for number, cell in enumerate(notebook.cells, 1):
        kept = {"id": f"cell-{number}", "cell_type": cell.cell_type, "source": cell.source, "metadata": {}}
        if cell.cell_type == "code":
            run += 1
            outputs = [_output(output, run) for output in cell.outputs if _is_kept(output)]
            kept |= {"execution_count": run, "outputs": outputs}
        cells.append(kept)
    return nbformat.from_dict({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})


def _is_kept(output: NotebookNode) -> bool:
    """Not what goes to stderr: progress bars and warnings."""
    return bool(output.get("name") == "stdout" or output.get("data", {}).keys() & set(SHOWN))


def _output(output: NotebookNode, run: int) -> NotebookNode:
    if output.output_type == "stream":
        return v4.new_output("stream", name=output.name, text=output.text)
    data = {kind: content for kind, content in output.data.items() if kind in SHOWN}
    number = {"execution_count": run} if output.output_type == "execute_result" else {}
    return v4.new_output(output.output_type, data, **number)


def printed(notebook: NotebookNode) -> str:
    """All that its cells print."""
    return "".join(output.get("text", "") for _, output in _outputs(notebook))


def check(notebook: NotebookNode, name: str) -> None:
    """Raise InputError where an output names a folder of this machine or a place in its memory."""
    folders = "|".join(re.escape(f"{folder}{os.sep}") for folder in (ROOT, tempfile.gettempdir(), sys.prefix))
    for number, output in _outputs(notebook):
        said = output.get("text") or "".join(map(str, output.get("data", {}).values()))
        if found := re.search(rf"({folders})\S*|\bat 0x[0-9a-f]+", said):
            raise InputError(
                f"{name}, cell {number}: it shows {found[0][:80]!r}, which is another one elsewhere: leave it out, or "
                "show a path from the repository's folder on."
            )


def _outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Every output, with the number of its cell."""
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            yield number, output


def text(notebook: NotebookNode) -> str:
    """The file's content."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def make(source: Path) -> Path:
    """Execute `source` and write its executed copy. Raises InputError, and leaves the old copy, where a cell fails."""
    made = stable(execute(source))
    check(made, source.name)
    target = source.with_suffix(".ipynb")
    write_atomic(target, text(made))
    return target


def sources(names: Sequence[str], folder: Path) -> list[Path]:
    """The files of the notebooks called `names`, all of them where none is named. Raises InputError."""
    found = {file.stem: file for file in sorted(folder.glob("*.py"))}
    for name in names:
        if name not in found:
            raise InputError(f"{name!r} is not a notebook: choose from {', '.join(found)}.")
    return [found[name] for name in names or found]


def main(names: Sequence[str], folder: Path = FOLDER) -> int:
    """The exit status: 1 where a notebook failed; the others are written all the same."""
    escape_unprintable()
    failed = 0
    try:
        files = sources(names, folder)
    except InputError as error:
        sys.exit(f"error: {error}")
    with tqdm(files, unit="notebook") as bar:
        for source in bar:
            bar.set_description(source.stem)
            try:
                make(source)
            except InputError as error:
                failed = 1
                tqdm.write(f"error: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
