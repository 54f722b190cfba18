"""The page: everything in results/, in which every number and every point leads to the runs behind it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from experiments.artefacts import names, sidecar
from experiments.artefacts.sidecar import Place, Sidecar
from experiments.site import benchmark, drawing, run
from ptuning.errors import InputError
from ptuning.files import write_atomic

TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure."""

    stem: str
    sidecar: Sidecar
    drawing: Markup | None = None

    @property
    def command(self) -> str:
        """What makes it again from the records."""
        return shlex.join(["python", "-m", names.module(self.sidecar.name), *self.sidecar.overrides])

    @property
    def cells(self) -> dict[str, Place]:
        """Its numbers by their anchors."""
        return {f"{self.stem}-{index}": cell for index, cell in enumerate(self.sidecar.cells)}

    def places(self, frame: int) -> dict[tuple[int, str], tuple[str, Place]]:
        """The numbers of a frame, with their anchors, by row and column."""
        return {(cell.row, cell.column): (anchor, cell) for anchor, cell in self.cells.items() if cell.frame == frame}


def tables(results: Path) -> list[Exhibit]:
    return [Exhibit(stem, one) for stem, one in sidecar.read_all(results / "tables").items()]


def figures(results: Path) -> list[Exhibit]:
    found = sidecar.files(results / "figures")
    return [_figure(file, Exhibit(stem, sidecar.read(file))) for stem, file in found.items()]


def _figure(file: Path, artefact: Exhibit) -> Exhibit:
    """With the drawing that stands beside its sidecar, `file`."""
    titles = {anchor: f"{cell.label}: {cell.text}" for anchor, cell in artefact.cells.items()}
    label = f"{artefact.sidecar.title}. {artefact.sidecar.caption}"
    picture = file.with_name(file.name.replace(sidecar.ENDING, ".svg"))
    return replace(artefact, drawing=drawing.inline(picture, artefact.stem, label, titles))


def page(results: Path) -> str:
    """The page's HTML. Raises InputError, naming the file, where one is missing or not what it should be."""
    if not results.is_dir():
        raise InputError(f"--results {results} is no folder: name the one that holds tables/, figures/ and runs/.")
    made = {"tables": tables(results), "figures": figures(results)}
    artefacts = [*made["tables"], *made["figures"]]
    runs = run.read_all(results)
    _check(artefacts, runs, results)
    return (
        _environment()
        .get_template("page.html")
        .render(made, runs=runs, behind=_behind(artefacts), benchmarks=benchmark.read_all(results / "benchmarks"))
    )


def _check(artefacts: Sequence[Exhibit], runs: Collection[str], results: Path) -> None:
    """Whether every link will have one target."""
    stems = [artefact.stem for artefact in artefacts]
    for artefact in artefacts:
        if stems.count(artefact.stem) > 1:
            raise InputError(f"{artefact.stem} is both a table and a figure in {results}: rename one of them.")
        for name in (name for cell in artefact.sidecar.cells for name in cell.records if name not in runs):
            raise InputError(
                f"{results / 'runs' / name} is missing, though {artefact.stem} has a number from it: restore it, or "
                f"make that again with {artefact.command}."
            )


def _behind(artefacts: Sequence[Exhibit]) -> dict[str, dict[str, str]]:
    """For each record, the anchors of the numbers that come from it, and what they are."""
    behind: dict[str, dict[str, str]] = {}
    for artefact in artefacts:
        for anchor, cell in artefact.cells.items():
            for name in cell.records:
                behind.setdefault(name, {})[anchor] = f"{artefact.sidecar.title}: {cell.label}: {cell.text}"
    return behind


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """A note, in which what stands in backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def make(results: Path) -> Path:
    """Write the page; where it is. Raises InputError as `page` does."""
    file, html = results / "report/index.html", page(results)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, html)
    return file
