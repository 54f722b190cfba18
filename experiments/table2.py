"""Table 2 of P-Tuning v2: SuperGLUE development scores of fine-tuning, Prompt Tuning and P-Tuning v2.

    python -m experiments.run -m experiment=table2 profile=laptop     # train what is missing
    python -m experiments.table2 profile=laptop                       # records -> results/tables/table2.{md,tex,csv}

Our rows come from records alone; the paper's rows below them from results/published/.
"""

from __future__ import annotations

from experiments.tables import Column, Table

TABLE = Table(
    name="table2",
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
    methods={
        ("fine_tuning", False): "FT",
        ("prompt_tuning", False): "PT",
        ("p_tuning_v2", False): "PT-2",
    },
    published="ptuning_v2_table2.csv",
    scores="Dev scores in percent.",
    miniature="Chance is 50 (CB: 33; MultiRC F1a of a constant answer: 66.7).",
)

if __name__ == "__main__":
    TABLE.main()
