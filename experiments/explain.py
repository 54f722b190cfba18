"""What stands behind the cells of a table or a figure: the runs, and how to make each again.

    python -m experiments.explain                                       # the tables and figures that there are
    python -m experiments.explain table2                                # all its cells, a line each
    python -m experiments.explain table2 minilm_l6 rte p_tuning_v2      # those that all of the words fit

A word fits a cell if it is one of its keys' values, a word of those or of its column's title, or the task, backbone,
method or seed of one of its runs (a multi-task run's method is mpt_2); several in quotes, if each does. Reads the
sidecars in results/tables and results/figures, and the records in results/runs.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.explain")

from experiments.artefacts import facts, names, sidecar
from experiments.artefacts.facts import Point
from experiments.artefacts.sidecar import Place, Sidecar
from experiments.output import escape_unprintable
from ptuning import registry
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.records import store
from ptuning.records.record import Record, kind, short

WIDTH = 100
VALUES = 18  # the column where they begin
EVALUATIONS = 9  # of a curve, in numbers
BARS = "▁▂▃▄▅▆▇█"
# run_name's
RUN = re.compile(
    rf"([^-]+)-(.+?)-({'|'.join(registry.names('ptuning.methods'))})(?:-from-(.+))?-seed(\d+)-[0-9a-f]{{10}}"
)


@dataclass(frozen=True)
class Cell:
    """A cell of the artefact in the file `stem`; `runs` has its records, None where a file is not there any more."""

    stem: str
    artefact: Sidecar
    cell: Place
    runs: dict[str, Record | None]

    @property
    def words(self) -> dict[str, str]:
        """The words that fit it: in small letters, and as they are shown."""
        values = [str(value) for value in (*self.cell.keys.values(), self.cell.column)]
        words = [*values, *(word for value in values for word in _parts(value))]
        for record in filter(None, self.runs.values()):
            words += _words_of(record)
        for task, backbone, method, origin, seed in (run.groups() for run in map(RUN.fullmatch, self.unread) if run):
            words += [task, backbone, _called(method, task, (origin,) if origin else ()), seed]
        return {word.casefold(): word for word in words if any(map(str.isalnum, word))}

    @property
    def unread(self) -> list[str]:
        """The names of its runs without a record here."""
        gone = [file.removesuffix(".json") for file, record in self.runs.items() if record is None]
        return [*gone, *self.cell.missing]


def _words_of(record: Record) -> list[str]:
    config = record["config"]
    if kind(record) == "evaluation":
        return [config["task"]["name"], config["backbone"]["name"], config["rule"]]
    task, method = config["task"]["name"], config["method"]
    return [task, config["backbone"]["name"], _called(method, task, rerun.origins(config)), str(config["seed"])]


def _called(method: str, task: str, origins: tuple[str, ...]) -> str:
    """The method as on the command line, so that PT-2 and MPT-2 can be told apart."""
    return (rerun.method_file(method, task, origins) if origins else None) or method


def artefacts(results: Path) -> dict[str, Sidecar]:
    """The tables and figures, by the stems of their files. Raises InputError where there are none."""
    found = sidecar.read_all(results / "tables") | sidecar.read_all(results / "figures")
    if not found:
        raise InputError(f"{results} has no table or figure yet: make one with `make reproduce-table2`.")
    return found


def cells(results: Path, artefact: str) -> list[Cell]:
    """Those of every table and figure with that name or stem. Raises InputError."""
    known = artefacts(results)
    chosen = {stem: one for stem, one in known.items() if artefact in (stem, one.name, names.called(one.name))}
    if not chosen:
        raise InputError(f"{artefact} is no table or figure in {results}: choose one of {', '.join(known)}.")
    return [
        Cell(stem, one, cell, {name: _record(store.locate(results, name)) for name in cell.records})
        for stem, one in chosen.items()
        for cell in one.cells
    ]


def _record(file: Path) -> Record | None:
    return store.read(file) if file.exists() else None


def fitting(found: Sequence[Cell], words: Sequence[str]) -> list[Cell]:
    """The cells that all of `words` fit. Raises InputError for the first word that leaves none."""
    left = list(found)
    for index, word in enumerate(words):
        before, left = left, [cell for cell in left if _fits(word.casefold(), cell.words)]
        if not left:
            known = {small: shown for cell in before for small, shown in cell.words.items()}
            of = f" of {' '.join(words[:index])}" if index else ""
            close = [known[small] for small in difflib.get_close_matches(word.casefold(), known, 1)]
            meant = f"did you mean {close[0]}? Known are" if close else "choose among"
            raise InputError(
                f"{word} fits no cell{of}: {meant} {', '.join(sorted(known.values(), key=str.casefold))}."
            )
    return left


def _fits(word: str, known: Collection[str]) -> bool:
    """Whether it is one of the known words, or several of them (`"held-out genre"`)."""
    parts = _parts(word)
    return word in known or (bool(parts) and all(part in known for part in parts))


def _parts(text: str) -> list[str]:
    return [part.strip(",;()[]") for part in text.split()]


def listed(found: Sequence[Cell]) -> Iterator[str]:
    """The cells, a line each."""
    rows = [[cell.stem, *map(str, cell.cell.keys.values()), cell.cell.text, _count(cell.cell)] for cell in found]
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows), default=0))]
    for row in rows:
        yield "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=False)).rstrip()


def _count(cell: Place) -> str:
    """How much stands behind it."""
    count = f"{len(cell.records)} record{'' if len(cell.records) == 1 else 's'}"
    return f"{count}, {len(cell.missing)} missing" if cell.missing else count


def explained(found: Sequence[Cell]) -> Iterator[str]:
    """All that stands behind the cells, line by line; a record behind several of them is told once."""
    shown: set[str] = set()
    for cell in found:
        heading = f"{cell.artefact.title} ({cell.stem}): {cell.cell.label} = {cell.cell.text}"
        yield from textwrap.wrap(heading, WIDTH)
        yield "=" * min(len(heading), WIDTH)
        for file, record in cell.runs.items():
            yield from ["", file]
            yield from ["  told above"] if file in shown else _run(record, cell.artefact.rule)
            shown.add(file)
        for name in cell.cell.missing:
            yield from ["", f"not run: {name}"]
        yield ""
    for stem, artefact in {cell.stem: cell.artefact for cell in found}.items():
        yield f"{stem} is made from records by"
        yield from shell(["python", "-m", names.module(artefact.name), *artefact.overrides])


def _run(record: Record | None, rule: str) -> Iterator[str]:
    if record is None:
        yield "  not in results/runs: restore it, or make the table again"
        return
    score, *others = facts.sections(record, rule)
    yield from section(score)
    yield from drawn(facts.curve(record, rule), record["metric"])
    for one in others:
        yield from section(one)
    yield "  Again"
    try:
        yield from shell(["python", "-m", "experiments.run", *rerun.overrides(record)])
    except InputError as error:
        yield from _wrapped("not possible", str(error))


def section(one: facts.Section) -> Iterator[str]:
    """A heading, and its facts below it."""
    heading, pairs = one
    yield f"  {heading}"
    for name, value in pairs:
        yield from _wrapped(name, value)


def _wrapped(name: str, value: str) -> list[str]:
    first = f"    {name}".ljust(VALUES - 1) + " "
    return textwrap.wrap(value, WIDTH, initial_indent=first, subsequent_indent=" " * VALUES, break_on_hyphens=False)


def drawn(curve: Sequence[Point], metric: str) -> Iterator[str]:
    """A learning curve: a bar an evaluation, and below it the numbers of as many as a line has room for."""
    if not curve:
        return
    few = _spread(curve)
    some = f"; {len(few)} of {len(curve)} evaluations in numbers" if len(few) < len(curve) else ""
    yield f"  Learning curve (*: the chosen epoch{some})"
    yield from _wrapped(f"dev {metric}", _bars([point.dev for point in curve]))
    rows = {
        "epoch": [f"{short(point.epoch)}{'*' if point.chosen else ''}" for point in few],
        f"dev {metric}": [f"{point.dev:.1f}" for point in few],
    }
    for name in dict.fromkeys(name for point in curve for name in point.tests):
        rows[f"{name} {metric}"] = [f"{point.tests[name]:.1f}" if name in point.tests else "" for point in few]
    rows["loss"] = [f"{point.loss:.3g}" for point in few]
    width = max(VALUES, *(len(name) + 6 for name in rows))
    column = max(7, *(len(value) + 1 for values in rows.values() for value in values))
    for name, values in rows.items():
        yield (f"    {name}".ljust(width) + "".join(f"{value:<{column}}" for value in values)).rstrip()


def _spread(curve: Sequence[Point]) -> list[Point]:
    """At most EVALUATIONS of them: the first, the last, the chosen one, and others evenly between."""
    if len(curve) <= EVALUATIONS:
        return list(curve)
    even = {round(index * (len(curve) - 1) / (EVALUATIONS - 2)) for index in range(EVALUATIONS - 1)}
    return [point for index, point in enumerate(curve) if index in even or point.chosen]


def _bars(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    steps = (0.5 if low == high else (value - low) / (high - low) for value in values)
    return "".join(BARS[round(step * (len(BARS) - 1))] for step in steps)


def shell(words: Sequence[str]) -> Iterator[str]:
    """A command to copy, over as many lines as it needs."""
    line = "   "
    for word in map(shlex.quote, words):
        if len(line) + len(word) > WIDTH - 3:
            yield f"{line} \\"
            line = "     "
        line += f" {word}"
    yield line


def _lines(results: Path, artefact: str | None, words: Sequence[str]) -> Iterator[str]:
    if artefact is None:
        known = artefacts(results)
        return (f"{stem:{max(map(len, known))}}  {one.title}" for stem, one in known.items())
    found = fitting(cells(results, artefact), words)
    return explained(found) if words else listed(found)


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artefact", nargs="?", help="the name of a table or figure, or its file's without the ending")
    parser.add_argument("words", nargs="*", help="what the cells are of; none: list them all")
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    given = parser.parse_intermixed_args()
    try:
        for line in _lines(given.results, given.artefact, given.words):
            print(line)
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # the reader, `head` or a pager, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
