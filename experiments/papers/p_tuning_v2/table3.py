"""Table 3 of P-Tuning v2: named entities, extractive questions and semantic roles, by fine-tuning, Prompt Tuning,
P-Tuning v2 and multi-task P-Tuning v2.

    python -m experiments.run -m experiment=p_tuning_v2/table3 profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning_v2.table3 profile=laptop                       # records -> table

The epoch is chosen on the development set. NER and SRL are reported on the test sets, QA on the development set, as in
the paper. SRL is counted as the authors count it (seqeval over all labels, the predicate included); for the stand-in
the shared task's own count (srl-eval) stands beside it.
"""

from __future__ import annotations

from experiments.artefacts.table import Column, Table

TABLE = Table(
    experiment="p_tuning_v2/table3",
    title="Table 3",
    caption="Named entities, extractive questions and semantic roles (P-Tuning v2, Table 3).",
    columns=[
        Column("NER CoNLL03 F1", "conll03", "test"),
        Column("NER OntoNotes 5.0 F1", "ontonotes", "test"),
        Column("NER CoNLL04 F1", "conll04", "test"),
        Column("QA SQuAD 1.1 EM", "squad", "dev", "em"),
        Column("QA SQuAD 1.1 F1", "squad"),
        Column("QA SQuAD 2.0 EM", "squad_v2", "dev", "em"),
        Column("QA SQuAD 2.0 F1", "squad_v2"),
        Column("SRL CoNLL12 F1", "conll12", "test"),
        Column("SRL CoNLL05 WSJ F1", "conll05", "wsj"),
        Column("SRL CoNLL05 Brown F1", "conll05", "brown"),
        # The freely available stand-ins.
        Column("NER WNUT17 F1", "wnut17", "test"),
        Column("NER Broad Twitter F1", "btc", "test"),
        Column("QA SQuADShifts to SQuAD 1.1 EM", "squadshifts", "dev", "em"),
        Column("QA SQuADShifts to SQuAD 1.1 F1", "squadshifts"),
        Column("QA SQuAD 2.0 halves EM", "squad_v2_halves", "dev", "em"),
        Column("QA SQuAD 2.0 halves F1", "squad_v2_halves"),
        Column("SRL EWT F1", "ewt", "test"),
        Column("SRL EWT F1 by srl-eval", "ewt", "test", "f1_official"),
        Column("SRL EWT held-out genre F1", "ewt", "out_of_domain"),
        Column("SRL EWT held-out genre F1 by srl-eval", "ewt", "out_of_domain", "f1_official"),
    ],
    methods=("FT", "PT", "PT-2", "MPT-2"),
    paper="arXiv:2110.07602",
    scores="EM and F1 in percent, NER and SRL on the test set, QA on the development set.",
    miniature="Its words alone do not tell the answers.",
)

if __name__ == "__main__":
    TABLE.main()
