"""Table 1 of SPoT: averages of GLUE and SuperGLUE, from each source's prompt and from none.

python -m experiments.run -m experiment=spot/table1 profile=laptop     # train what is missing: figure2's runs
python -m experiments.papers.spot.table1 profile=laptop                # records -> table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.artefacts.sources import BASELINE, source_of
from experiments.artefacts.table import Column, Key, Table
from ptuning.analysis import cells
from ptuning.analysis.cells import Cell
from ptuning.config import RunConfig

BENCHMARKS = {"GLUE avg": ("cola", "mrpc"), "SuperGLUE avg": ("boolq", "cb", "rte", "wic")}
SOURCES = ("sst2", "qqp", "mnli", "qnli", "boolq", "multirc")


@dataclass(frozen=True)
class Averages(Table):
    """A row a source."""

    def row(self, run: RunConfig) -> str:
        source = source_of(run)
        return source if source == BASELINE else f"from {source}"

    def cells(self, runs: Sequence[RunConfig]) -> dict[Key, Cell]:
        """Averages over the targets of a benchmark that the sweep has."""
        groups: dict[Key, dict[str, list[RunConfig]]] = {}
        for run in runs:
            for title, tasks in BENCHMARKS.items():
                if run.single.name in tasks:
                    own = groups.setdefault((run.backbone.name, self.row(run), title), {})
                    own.setdefault(run.single.name, []).append(run)
        return {
            key: cells.average([cells.cell(group, self.rule) for group in by_task.values()])
            for key, by_task in groups.items()
        }

    def opening(self, cells: Mapping[Key, Cell]) -> str:
        shown = ", ".join(f"{title.split()[0]}: {', '.join(tasks)}" for title, tasks in BENCHMARKS.items())
        return (
            f"{super().opening(cells)} Our averages are over those of figure2's targets ({shown}) that the sweep has."
        )


TABLE = Averages(
    experiment="spot/table1",
    title="Table 1",
    caption="Averages over targets, from a source's prompt and from none (SPoT, Table 1).",
    columns=[Column(title, title.split()[0]) for title in BENCHMARKS],
    methods=(BASELINE, *(f"from {source}" for source in SOURCES)),
    paper="arXiv:2110.07904",
    scores="Dev scores in percent. The paper's sources that are mixtures of tasks, C4 and SQuAD are not trained here; "
    "flan_t5_small saw most of these tasks before.",
    miniature="Chance is 50 (CB: 33, CoLA: 0).",
)

if __name__ == "__main__":
    TABLE.main()
