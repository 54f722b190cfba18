"""Table 3 of SPoT: retrieval of source prompts by task embeddings, and what the search costs.

python -m experiments.run -m experiment=spot/table3 profile=laptop     # train what is missing: figure2's runs
python -m experiments.evaluate experiment=spot/table3 profile=laptop   # compare their prompts
python -m experiments.papers.spot.table3 profile=laptop                # records -> table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.artefacts import compared
from experiments.artefacts.artefact import Output
from experiments.artefacts.table import Column, Key, Table
from experiments.papers.spot.similarity import METRICS, alike, baselines, key_of
from ptuning.analysis import cells
from ptuning.analysis.cells import Cell
from ptuning.config import RunConfig
from ptuning.records import store
from ptuning.records.record import score_of
from ptuning.records.similarities import Similarities

TOP = (1, 2, 3)
BASELINE, ORACLE = "no source", "best of all sources"
AVERAGE = "average"


def best_of(top: int, words: str) -> str:
    return f"best of top-{top}, {words}"


@dataclass(frozen=True)
class Retrieval(Table):
    """A row a way to choose a source prompt for each target, by seed."""

    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        return self.output(self.retrieved(runs, compared.of_backbones(self.experiment, overrides)))

    def retrieved(self, runs: Sequence[RunConfig], likeness: Mapping[str, Similarities]) -> dict[Key, Cell]:
        """Scores of the targets, and their average."""
        plain, titles = baselines(runs), {column.task: column.title for column in self.columns}
        targets: dict[tuple[str, str], dict[int, list[RunConfig]]] = {}
        for run in runs:
            if run.sources and run.single.name in titles:
                targets.setdefault((run.backbone.name, run.single.name), {}).setdefault(run.seed, []).append(run)
        found: dict[Key, Cell] = {}
        for (backbone, target), by_seed in targets.items():
            own = [plain[key_of(group[0])] for group in by_seed.values()]
            found[backbone, BASELINE, titles[target]] = cells.cell(own, self.rule)
            found[backbone, ORACLE, titles[target]] = self._best(list(by_seed.values()))
            for metric, words in METRICS.items():
                for top in (k for k in TOP if k < min(map(len, by_seed.values()))):  # of all it is the row above
                    nearest = [
                        sorted(group, key=lambda run: -alike(run, plain, likeness, metric))[:top]
                        for group in by_seed.values()
                    ]
                    found[backbone, best_of(top, words), titles[target]] = self._best(nearest)
        return found | self._averages(found)

    def _best(self, groups: Sequence[Sequence[RunConfig]]) -> Cell:
        """Of each seed the run with the best score; all that were tried are behind it; a gap while one is missing."""
        tried = [cells.cell([run], self.rule) for group in groups for run in group]
        chosen = [max(group, key=self._score) for group in groups]
        names = tuple(name for cell in tried for name in cell.records)
        missing = tuple(name for cell in tried for name in cell.missing)
        cell = cells.cell(chosen, self.rule)
        return replace(cell, scores=() if missing else cell.scores, records=names, missing=missing)

    def _score(self, run: RunConfig) -> float:
        record = store.find(run)
        found = None if record is None else score_of(record, self.rule)
        return float("-inf") if found is None else found

    def _averages(self, found: Mapping[Key, Cell]) -> dict[Key, Cell]:
        rows: dict[tuple[str, str], list[Cell]] = {}
        for (backbone, row, _), cell in found.items():
            rows.setdefault((backbone, row), []).append(cell)
        return {(backbone, row, AVERAGE): cells.average(own) for (backbone, row), own in rows.items()}


TABLE = Retrieval(
    experiment="spot/table3",
    title="Table 3",
    caption="Retrieval of source prompts by the similarity of task embeddings (SPoT, Table 3).",
    columns=[
        Column("BoolQ acc", "boolq"),
        Column("CB acc", "cb"),
        Column("CoLA matthews", "cola"),
        Column("MRPC acc", "mrpc"),
        Column("RTE acc", "rte"),
        Column("WiC acc", "wic"),
        Column(AVERAGE, AVERAGE),
    ],
    methods=(BASELINE, ORACLE, *(best_of(top, words) for words in METRICS.values() for top in TOP)),
    paper="arXiv:2110.07904",
    scores="Dev scores in percent. Task embeddings are the prompts after a few steps: a target's is of its own run "
    "without a source, which is what retrieval costs beside k runs on the target; the best of all costs a run a "
    "source. The best of k is chosen on the dev set that it is reported on, as in the paper, which has 48 sources. "
    "Its weighted average of prompts and its mixture of tasks are not built.",
    miniature="Chance is 50 (CB: 33, CoLA: 0).",
)

if __name__ == "__main__":
    TABLE.main()
