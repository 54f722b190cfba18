"""Table 4 of P-Tuning v2: deep prompts with a linear head on [CLS], against the language-model head with label words.

python -m experiments.run -m experiment=p_tuning_v2/table4 profile=laptop     # train what is missing
python -m experiments.papers.p_tuning_v2.table4 profile=laptop                       # records -> table
"""

from __future__ import annotations

from experiments.artefacts import methods
from experiments.artefacts.table import Column, Table
from ptuning.config import RunConfig

HEADS = {"auto": "CLS & linear head", "verbalizer": "verbalizer & LM head"}  # as the paper calls them


class Table4(Table):
    """A row a head."""

    def row(self, run: RunConfig) -> str:
        return f"{methods.label(run)}, {HEADS.get(run.head.name, run.head.name)}"


TABLE = Table4(
    experiment="p_tuning_v2/table4",
    title="Table 4",
    caption="Deep prompts under a linear head and under the language-model head (P-Tuning v2, Table 4).",
    columns=[
        Column("SST-2 acc", "sst2"),
        Column("RTE acc", "rte"),
        Column("BoolQ acc", "boolq"),
        Column("CB acc", "cb"),
    ],
    methods=[f"PT-2, {head}" for head in HEADS.values()],
    paper="arXiv:2110.07602",
    scores="Dev scores in percent. flan_t5_small saw all four tasks' training examples in its own training.",
    miniature="Chance is 50 (CB: 33).",
)

if __name__ == "__main__":
    TABLE.main()
