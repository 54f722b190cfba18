"""Tables of scores that trained prompts make without training: cells of evaluation records instead of runs'."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.artefacts import methods
from experiments.artefacts.artefact import Output
from experiments.artefacts.table import Key, Table
from ptuning.analysis import cells
from ptuning.analysis.cells import Cell
from ptuning.config import RunConfig
from ptuning.launch import evaluations
from ptuning.launch.evaluations import Asked


@dataclass(frozen=True)
class EvaluationTable(Table):
    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        return self.output(self.evaluated(evaluations.asked([f"experiment={self.experiment}", *overrides])))

    @abstractmethod
    def evaluated(self, asked: Sequence[Asked]) -> dict[Key, Cell]:
        """One cell a (backbone, row, column)."""

    def trained(self, cell: Cell, runs: Sequence[RunConfig]) -> Cell:
        """The cell with what is to be said of the runs behind its evaluations."""
        of_runs = cells.cell(runs, self.rule)
        return replace(cell, share=of_runs.share, epochs=of_runs.epochs, train_examples=of_runs.train_examples)

    def opening(self, cells: Mapping[Key, Cell]) -> str:
        return (
            f"{self.scores} Weights are those of the epoch that {self.rule} chose in training; `-- (0/1)`: "
            "evaluations are missing. Trained: share of all parameters, head included."
        )


@dataclass(frozen=True)
class TransferTable(EvaluationTable):
    """Runs on one task answer another: `Column.task` is `<task of the run>-><name of the target>`."""

    def evaluated(self, asked: Sequence[Asked]) -> dict[Key, Cell]:
        groups: dict[Key, list[Asked]] = {}
        columns = {column.title: column for column in self.columns}
        for one in asked:
            (run,) = one.runs
            for column in self.columns:
                if column.task == f"{run.task.name}->{one.target}":
                    groups.setdefault((run.backbone.name, methods.label(run), column.title), []).append(one)
        return {
            key: self.trained(
                cells.cell([one.config for one in group], self.rule, columns[key[2]].split, columns[key[2]].metric),
                [run for one in group for run in one.runs],
            )
            for key, group in groups.items()
        }
