"""Table 2 of P-Tuning v2: SuperGLUE development scores of fine-tuning, Prompt Tuning and P-Tuning v2.

    python -m experiments.run -m experiment=p_tuning_v2/table2 profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning_v2.table2 profile=laptop                       # records -> table

Our rows come from records alone; the paper's rows below them from results/published/.
"""

from __future__ import annotations

from experiments.artefacts.table import Column, Table

TABLE = Table(
    experiment="p_tuning_v2/table2",
    title="Table 2",
    caption="SuperGLUE development set (P-Tuning v2, Table 2).",
    columns=[
        Column("BoolQ acc", "boolq"),
        Column("CB acc", "cb"),
        Column("COPA acc", "copa"),
        Column("MultiRC F1a", "multirc"),
        Column("ReCoRD F1", "record"),
        Column("RTE acc", "rte"),
        Column("WiC acc", "wic"),
        Column("WSC acc", "wsc"),
    ],
    methods=("FT", "PT", "PT-2"),
    paper="arXiv:2110.07602",
    scores="Dev scores in percent.",
    miniature="Chance is 50 (CB: 33; MultiRC F1a of a constant answer: 66.7).",
)

if __name__ == "__main__":
    TABLE.main()
