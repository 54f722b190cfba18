"""Prefix or infix: [PROMPT; x; y] against [x; PROMPT; y], input prompts and deep prompts, on tasks of every kind.

    python -m experiments.run -m experiment=ablations/placement profile=laptop     # train what is missing
    python -m experiments.ablations.placement profile=laptop                       # records -> figure

With one segment (named entities) the infix point is the end of the text. Prefix-Tuning (arXiv:2101.00190, section 7.3)
compares the two for generation, where infix is a little worse.
"""

from __future__ import annotations

from experiments.artefacts.comparisons import Comparison, Comparisons


class Placement(Comparisons):
    experiment = "ablations/placement"
    title = "Prefix or infix"
    caption = "What it does to put the prompt between the two segments (infix) instead of before them (prefix)."
    comparisons = (Comparison("prompt.placement", "prefix", "infix", ("prefix", "infix")),)


FIGURE = Placement()

if __name__ == "__main__":
    FIGURE.main()
