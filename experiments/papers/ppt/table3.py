"""Table 3 of PPT: few-shot learning of sentence pairs, from prompts that were pre-trained on plain text.

python -m experiments.run -m experiment=ppt/table3 profile=laptop     # train what is missing, pre-training first
python -m experiments.papers.ppt.table3 profile=laptop                # records -> table
"""

from __future__ import annotations

from experiments.artefacts.table import Column, Table
from ptuning.config import RunConfig

BARE = "ppt_bare"  # the pattern without a template's words


class FewShot(Table):
    """A row an arm."""

    def row(self, run: RunConfig) -> str:
        if run.prompt is None:
            return "FT"
        hybrid = "" if run.head.keys.get("pattern") == BARE else "hybrid "
        return f"{hybrid}{'PPT' if run.sources else 'PT'}"


TABLE = FewShot(
    experiment="ppt/table3",
    title="Table 3",
    caption="Few-shot sentence pairs, with and without pre-training the prompt on plain text (PPT, Table 3).",
    columns=[
        Column("RTE acc", "rte", "official_dev"),
        Column("CB acc", "cb", "official_dev"),
        Column("RTE acc on the 32 dev examples", "rte"),
        Column("CB acc on the 32 dev examples", "cb"),
    ],
    methods=("FT", "PT", "hybrid PT", "PPT", "hybrid PPT"),
    paper="arXiv:2109.04332",
    scores="In percent, on the official dev sets, chosen on 32 training examples more; a cell's runs differ in their "
    "subset. The paper pre-trains on OpenWebText and on more formats than next sentences, "
    "which alone are built here. flan_t5_small saw all of CB's and RTE's training examples before.",
    miniature="Chance is 50 (CB: 33).",
)

if __name__ == "__main__":
    TABLE.main()
