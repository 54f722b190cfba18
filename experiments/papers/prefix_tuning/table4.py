"""Table 4 of Prefix-Tuning: prefix against infix, and against embeddings alone, on E2E.

python -m experiments.run -m experiment=prefix_tuning/table4 profile=laptop     # train what is missing
python -m experiments.papers.prefix_tuning.table4 profile=laptop                # records -> table
"""

from __future__ import annotations

from experiments.artefacts import methods
from experiments.artefacts.table import Table
from experiments.papers.prefix_tuning.table1 import E2E
from ptuning.config import RunConfig

LENGTHS = (1, 5, 10, 20)


class Ablation(Table):
    """A row a kind of prompt and length."""

    def row(self, run: RunConfig) -> str:
        prompt = run.prompt or {}
        if not any(site in prompt for site in ("stacks", "layers")):
            kind = "embedding-only" if prompt else methods.label(run)
        else:
            kind = str(prompt["placement"])
        return f"{kind}, {prompt.get('length', 0)}"


TABLE = Ablation(
    experiment="prefix_tuning/table4",
    title="Table 4",
    caption="Deep prompts before and within the text, and embeddings alone, on E2E (Prefix-Tuning, Table 4).",
    columns=E2E,
    methods=[f"{kind}, {length}" for kind in ("prefix", "embedding-only", "infix") for length in LENGTHS],
    paper="arXiv:2101.00190",
    scores="On the test set, multi-reference; BLEU and ROUGE-L in percent. An infix is keys and values here, the "
    "released code's are embeddings and offsets to their keys and values.",
    miniature="A miniature says slots that stand in its source.",
)

if __name__ == "__main__":
    TABLE.main()
