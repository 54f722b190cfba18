"""Table 3 of Prompt Tuning: five prompts of a task, their mean, the best of them, and what most of them say.

python -m experiments.run -m experiment=prompt_tuning/table3 profile=laptop     # train what is missing
python -m experiments.evaluate experiment=prompt_tuning/table3 profile=laptop
python -m experiments.papers.prompt_tuning.table3 profile=laptop                # records -> table
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.artefacts.evaluation_table import EvaluationTable
from experiments.artefacts.table import Column, Key
from ptuning.analysis import cells
from ptuning.analysis.cells import Cell
from ptuning.launch.evaluations import Asked

MEAN, BEST, VOTE = "mean of 5 prompts", "best single prompt", "majority-vote ensemble of 5"


class Table3(EvaluationTable):
    """A row for the prompts' mean, the best of them, and their vote."""

    def evaluated(self, asked: Sequence[Asked]) -> dict[Key, Cell]:
        found: dict[Key, Cell] = {}
        for one in asked:
            for column in self.columns:
                if column.task == one.config.task.name:
                    made = {
                        MEAN: cells.prompts_cell(one.config, column.metric),
                        BEST: cells.best_cell(one.config, column.metric),
                        VOTE: cells.cell([one.config], self.rule, metric=column.metric),
                    }
                    for row, cell in made.items():
                        found[one.config.backbone.name, row, column.title] = self.trained(cell, one.runs)
        return found


TABLE = Table3(
    experiment="prompt_tuning/table3",
    title="Table 3",
    caption="Prompt ensembling on the SuperGLUE development sets (Prompt Tuning, Table 3).",
    columns=[
        Column("BoolQ acc", "boolq"),
        Column("CB acc", "cb"),
        Column("CB F1", "cb", metric="f1_macro"),
        Column("COPA acc", "copa"),
        Column("MultiRC EM", "multirc", metric="em"),
        Column("MultiRC F1a", "multirc"),
        Column("ReCoRD EM", "record", metric="em"),
        Column("ReCoRD F1", "record"),
        Column("RTE acc", "rte"),
        Column("WiC acc", "wic"),
        Column("WSC acc", "wsc"),
    ],
    methods=(MEAN, BEST, VOTE),
    paper="arXiv:2104.08691",
    scores="Dev scores in percent of prompts that differ in their seed; the mean ± their sample standard deviation. "
    "The best is chosen on the dev set that it is reported on; a tie of votes goes to the first seed.",
    miniature="Chance is 50 (CB: 33; MultiRC F1a of a constant answer: 66.7).",
)

if __name__ == "__main__":
    TABLE.main()
