"""Table 1 of Prefix-Tuning: table-to-text generation.

python -m experiments.run -m experiment=prefix_tuning/table1 profile=laptop     # train what is missing
python -m experiments.papers.prefix_tuning.table1 profile=laptop                # records -> table
"""

from __future__ import annotations

from experiments.artefacts.table import Column, Table

E2E = [
    Column("E2E BLEU", "e2e", "test"),
    Column("E2E NIST", "e2e", "test", "nist"),
    Column("E2E ROUGE-L", "e2e", "test", "rouge_l"),
    Column("E2E CIDEr", "e2e", "test", "cider"),
]

TABLE = Table(
    experiment="prefix_tuning/table1",
    title="Table 1",
    caption="Table-to-text generation (Prefix-Tuning, Table 1).",
    columns=[
        *E2E,
        Column("WebNLG BLEU seen", "webnlg", "seen"),
        Column("WebNLG BLEU unseen", "webnlg", "unseen"),
        Column("DART BLEU", "dart", "test"),
    ],
    methods=("FT", "Prefix"),
    paper="arXiv:2101.00190",
    scores="On the test sets, multi-reference; BLEU and ROUGE-L in percent. Ours decodes as the profile affords, the "
    "paper with 5 beams. The paper's adapters and its fine-tuning of the top two layers are not built here; METEOR "
    "needs Java.",
    miniature="A miniature says slots that stand in its source.",
)

if __name__ == "__main__":
    TABLE.main()
