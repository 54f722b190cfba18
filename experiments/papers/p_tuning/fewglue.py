"""Few-shot SuperGLUE by P-Tuning: what the prompt encoder does, on a frozen and a tuned backbone.

    python -m experiments.run -m experiment=p_tuning/fewglue profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning.fewglue profile=laptop                       # records -> table

The evaluation is chosen on FewGLUE's 32 dev examples; the official dev set, which the paper reports, only reports.
"""

from __future__ import annotations

from experiments.artefacts.table import Column, Table
from ptuning import methods
from ptuning.config import RunConfig

ENCODERS = {"lstm": "LSTM", "mlp": "MLP", "none": "no encoder"}
BACKBONES = {False: "frozen", True: "tuned"}


class FewGLUE(Table):
    """A row a prompt encoder and backbone."""

    def row(self, run: RunConfig) -> str:
        encoder = (run.prompt or {}).get("reparameterization", {}).get("name", run.method)
        return f"{ENCODERS.get(encoder, encoder)}, {BACKBONES[methods.trains_backbone(run)]}"


TABLE = FewGLUE(
    experiment="p_tuning/fewglue",
    title="Few-shot SuperGLUE",
    caption="32 training examples, P-Tuning with and without a prompt encoder, the backbone frozen or tuned.",
    columns=[
        Column("CB acc", "cb", "official_dev"),
        Column("CB F1", "cb", "official_dev", "f1_macro"),
        Column("RTE acc", "rte", "official_dev"),
        Column("CB acc on the 32 dev examples", "cb"),
        Column("RTE acc on the 32 dev examples", "rte"),
    ],
    methods=[f"{encoder}, {backbone}" for backbone in BACKBONES.values() for encoder in ENCODERS.values()],
    paper="arXiv:2103.10385",
    scores="In percent, on the official dev set (CB: 56, RTE: 277 examples), chosen on FewGLUE's dev32. The paper's "
    "RTE is not at hand. flan_t5_small saw all of CB's and RTE's training examples before.",
    miniature="Chance is 50 (CB: 33).",
)

if __name__ == "__main__":
    TABLE.main()
