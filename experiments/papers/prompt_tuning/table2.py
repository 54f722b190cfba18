"""Table 2 of Prompt Tuning: a model or prompt trained on QQP answers MRPC, and the other way round.

python -m experiments.run -m experiment=prompt_tuning/table2 profile=laptop     # train what is missing
python -m experiments.evaluate experiment=prompt_tuning/table2 profile=laptop
python -m experiments.papers.prompt_tuning.table2 profile=laptop                # records -> table
"""

from __future__ import annotations

from experiments.artefacts.evaluation_table import TransferTable
from experiments.artefacts.table import Column

TABLE = TransferTable(
    experiment="prompt_tuning/table2",
    title="Table 2",
    caption="Zero-shot transfer between two paraphrase tasks (Prompt Tuning, Table 2).",
    columns=[
        Column("QQP->MRPC acc", "qqp->other"),
        Column("QQP->MRPC F1", "qqp->other", metric="f1"),
        Column("MRPC->QQP acc", "mrpc->other"),
        Column("MRPC->QQP F1", "mrpc->other", metric="f1"),
        Column("QQP acc", "qqp->own"),
        Column("MRPC acc", "mrpc->own"),
    ],
    methods=("FT", "PT"),
    paper="arXiv:2104.08691",
    scores="Dev scores in percent; the last two columns are of the task that was trained on.",
    miniature="Chance is 50.",
)

if __name__ == "__main__":
    TABLE.main()
