"""Figure 3 of Prefix-Tuning: few examples to learn from.

python -m experiments.run -m experiment=prefix_tuning/figure3 profile=laptop     # train what is missing
python -m experiments.papers.prefix_tuning.figure3 profile=laptop                # records -> figure
"""

from __future__ import annotations

from experiments.artefacts import methods
from experiments.papers.prefix_tuning.low_data import LowData
from ptuning.config import RunConfig


class FewExamples(LowData):
    experiment = "prefix_tuning/figure3"
    title = "Prefix-Tuning, Figure 3: few examples to learn from"
    caption = (
        "Fine-tuning and prefixes, which start from real words' activations, on subsets of E2E (Prefix-Tuning, "
        "Figure 3). The paper says that prefixes are 2.9 BLEU ahead on average, and gives no numbers."
    )

    def series_of(self, run: RunConfig) -> str:
        return methods.label(run)


FIGURE = FewExamples()

if __name__ == "__main__":
    FIGURE.main()
