"""Table 1 of Prompt Tuning: a model or prompt trained on questions of one domain answers those of another.

python -m experiments.run -m experiment=prompt_tuning/table1 profile=laptop     # train what is missing
python -m experiments.evaluate experiment=prompt_tuning/table1 profile=laptop
python -m experiments.papers.prompt_tuning.table1 profile=laptop                # records -> table
"""

from __future__ import annotations

from experiments.artefacts.evaluation_table import TransferTable
from experiments.artefacts.table import Column

TABLE = TransferTable(
    experiment="prompt_tuning/table1",
    title="Table 1",
    caption="Zero-shot transfer of question answering to another domain (Prompt Tuning, Table 1).",
    columns=[
        Column("SQuAD dev F1", "squadshifts->own"),
        Column("New York Times F1", "squadshifts->nyt"),
    ],
    methods=("FT", "PT"),
    paper="arXiv:2104.08691",
    scores="F1 in percent. Ours are trained on SQuADShifts' new Wikipedia questions, the paper's on SQuAD; the "
    "paper's other domains (MRQA's sets) are not at hand here, nor ours there.",
    miniature="Both of ours are then drawn alike: there is no shift.",
)

if __name__ == "__main__":
    TABLE.main()
