"""What the papers' protocols leave unsaid, each switched by itself.

python -m experiments.run -m experiment=ablations/protocol profile=laptop     # train what is missing
python -m experiments.ablations.protocol profile=laptop                       # records -> figure
"""

from __future__ import annotations

from experiments.artefacts.comparisons import Comparison, Comparisons


class Protocol(Comparisons):
    experiment = "ablations/protocol"
    title = "Unpublished protocol choices"
    caption = (
        "Choices in which papers and their code differ, each switched by itself. (A pooler is drawn before the "
        "classifier: with one, the same seed starts with another classifier.)"
    )
    comparisons = (
        Comparison("prompt.positions", "shift", "keep", ("positions shifted", "kept")),
        Comparison("backbone.pooler", "none", "frozen", ("no pooler", "the checkpoint's, frozen")),
        Comparison("backbone.pooler", "none", "trained", ("no pooler", "the checkpoint's, trained")),
        Comparison("backbone.pooler", "none", "random", ("no pooler", "a random one, frozen")),
        Comparison("train.backbone_dropout", 0.0, 0.1, ("backbone dropout off", "0.1")),
        Comparison("prompt.init_std", 0.02, 1.0, ("init std 0.02", "1.0")),
        Comparison("prompt.double_embedding", False, True, ("PT as in its paper", "as in the released baseline")),
    )


FIGURE = Protocol()

if __name__ == "__main__":
    FIGURE.main()
