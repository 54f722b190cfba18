"""What the tables of a paper share: our cells from records, the paper's rows below them, notes, and files.

A table is one small file of experiments/papers/<paper>/: its columns, methods and notes as a `Table`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pandas as pd

from experiments.artefacts import methods, published
from experiments.artefacts.artefact import Artefact, Output
from experiments.artefacts.sidecar import Place
from ptuning.analysis import cells, rendering
from ptuning.analysis.cells import Cell, capped_note, constant_note
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name


@dataclass(frozen=True)
class Column:
    """One number of a task. `title` is what the published file calls it, task and metric; `metric` None is the task's
    own, that which chooses the epoch."""

    title: str
    task: str
    split: str = "dev"
    metric: str | None = None


Key = tuple[str, str, str]  # backbone, method's title, column's title


@dataclass(frozen=True)
class Table(Artefact):
    """A table of a paper, with the paper's numbers from results/published/<experiment>.csv. `methods` are the labels
    of its rows, as the methods' files have them (`experiments.artefacts.methods`)."""

    kind = "tables"
    experiment: str
    title: str
    caption: str
    columns: Sequence[Column]
    methods: Sequence[str]
    paper: str  # where it is to be found
    scores: str
    miniature: str
    rule: str = "best_dev"  # the paper's rule

    def row(self, run: RunConfig) -> str:
        """What the row of a run is called, one of `methods`."""
        return methods.label(run)

    def cells(self, runs: Sequence[RunConfig]) -> dict[Key, Cell]:
        """One cell a (backbone, method, column), over the sweep's seeds."""
        groups: dict[tuple[str, str, str], list[RunConfig]] = {}
        for run in runs:
            method = self.row(run)
            if method not in self.methods:
                known = ", ".join(self.methods)
                raise InputError(f"{run_name(run)} has no row in {self.name}: leave it out, the rows are {known}.")
            groups.setdefault((run.backbone.name, method, run.task.name), []).append(run)
        return {
            (backbone, method, column.title): cells.cell(group, self.rule, column.split, column.metric)
            for (backbone, method, task), group in groups.items()
            for column in self.columns
            if column.task == task and cells.has_split(group, column.split)
        }

    def rows(self, cells: Mapping[Key, Cell], titles: Sequence[str]) -> list[list[str]]:
        lines = []
        backbones = dict.fromkeys(backbone for backbone, _, _ in cells)
        for backbone, method in product(backbones, self.methods):
            line = [cells.get((backbone, method, title)) for title in titles]
            shares = [cell.share for cell in line if cell is not None and cell.share is not None]
            share = f"{100 * sum(shares) / len(shares):.3g} %" if shares else "--"
            lines.append([backbone, method, share, *("" if cell is None else cell.marked for cell in line)])
        return lines

    def published_rows(self, titles: Sequence[str]) -> list[list[str]]:
        values = published.read(self.experiment)
        marks = published.CONFIDENCE
        shown = {
            (v["model"], v["method"], published.column(v)): published.shown(v) + marks[v["confidence"]] for v in values
        }
        lines = dict.fromkeys((v["model"], v["method"]) for v in values)
        return [
            [f"paper: {model}", method, "", *(shown.get((model, method, title), "") for title in titles)]
            for model, method in lines
        ]

    def frames(self, cells: Mapping[Key, Cell]) -> list[pd.DataFrame]:
        """Our rows above the paper's; or, where none of our sets is the paper's, two tables."""
        papers = list(dict.fromkeys(map(published.column, published.read(self.experiment))))
        ours = dict.fromkeys(column.title for column in self.columns if any(column.title == key[2] for key in cells))
        if not ours or ours.keys() & set(papers):
            titles = [column.title for column in self.columns if column.title in {*papers, *ours}]
            return [_frame(titles, self.rows(cells, titles) + self.published_rows(titles))]
        return [_frame(list(ours), self.rows(cells, list(ours))), _frame(papers, self.published_rows(papers))]

    def opening(self, cells: Mapping[Key, Cell]) -> str:
        """The first note: what the numbers are."""
        seeds = sorted({cell.expected for cell in cells.values()})
        return (
            f"{self.scores} Ours: mean ± sample standard deviation over {' or '.join(map(str, seeds))} seed(s), "
            f"epoch chosen by {self.rule} (the paper's rule); `-- (2/3)`: runs are missing. "
            "Trained: share of all parameters, head included."
        )

    def notes(self, cells: Mapping[Key, Cell]) -> list[str]:
        lines = [self.opening(cells)]
        if any(cell.source == "miniature" for cell in cells.values()):
            lines.append(
                "† a generated miniature of the task, not the real data: it shows that the pipeline learns. "
                + self.miniature
            )
        tasks = {column.title: column.task for column in self.columns}
        lines += capped_note([(tasks[title], cell) for (*_, title), cell in cells.items()])
        lines += constant_note(cells.values())
        lines.append("Epochs: " + "; ".join(self._epochs(cells, method) for method in self.methods) + ".")
        lines.append(f"Paper: {self.title} of {self.paper}, other backbones, all data; {published.MARKS}")
        return lines

    def _epochs(self, cells: Mapping[Key, Cell], method: str) -> str:
        tasks = {column.title: column.task for column in self.columns}
        used: dict[int, dict[str, None]] = {}
        for (backbone, by, title), cell in cells.items():
            if by == method and cell.records:
                used.setdefault(cell.epochs, {})[f"{tasks[title]} on {backbone}"] = None
        if len(used) < 2:
            return f"{method} {next(iter(used), '--')}"
        return f"{method} " + ", ".join(f"{epochs} ({', '.join(where)})" for epochs, where in used.items())

    def long_form(self, cells: Mapping[Key, Cell]) -> str:
        """Every cell of ours and of the paper as a line of CSV."""
        ours: list[dict[str, object]] = [
            {
                "from": "ours", "model": backbone, "method": method, "column": title, "mean": cell.mean,
                "std": cell.spread, "runs": len(cell.scores), "expected": cell.expected, "data": cell.source,
                "train_examples": cell.train_examples, "evaluated": cell.evaluated, "epochs": cell.epochs,
                "trained_share": cell.share,
            }
            for (backbone, method, title), cell in cells.items()
        ]  # fmt: skip
        paper: list[dict[str, object]] = [
            {
                "from": "paper", "model": v["model"], "method": v["method"], "column": published.column(v),
                "mean": float(v["value"]), "confidence": v["confidence"], "source": v["source"],
            }
            for v in published.read(self.experiment)
        ]  # fmt: skip
        return pd.DataFrame(ours + paper).to_csv(index=False, float_format="%.6g")

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        return self.output(self.cells(runs))

    def output(self, cells: Mapping[Key, Cell]) -> Output:
        """The table of these cells."""
        frames, below = self.frames(cells), self.notes(cells)
        upper = [rendering.markdown(frame, []) for frame in frames[:-1]]
        text = "\n".join([*upper, rendering.markdown(frames[-1], below)])
        captions = [self.caption, *(f"{self.caption} The paper's numbers." for _ in frames[1:])]
        latex = "\n".join(rendering.latex(*one, below) for one in zip(frames, captions, strict=True))
        files = {"md": text, "tex": latex, "csv": self.long_form(cells)}
        return Output(text, files, frames, self._places(cells, frames[0]), below)

    def _places(self, cells: Mapping[Key, Cell], frame: pd.DataFrame) -> list[Place]:
        tasks = {column.title: column.task for column in self.columns}
        rows = {key: row for row, key in enumerate(zip(frame["Backbone"], frame["Method"], strict=True))}
        return [
            Place.of(
                [cell],
                {"backbone": backbone, "method": method, "task": tasks[title], "column": title},
                rows[backbone, method],
                title,
            )
            for (backbone, method, title), cell in cells.items()
        ]


def _frame(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["Backbone", "Method", "Trained", *titles])
