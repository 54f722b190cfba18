"""Figure 3 (b) of Prompt Tuning: what a prompt starts from.

python -m experiments.run -m experiment=prompt_tuning/figure3b profile=laptop     # train what is missing
python -m experiments.papers.prompt_tuning.figure3b profile=laptop                       # records -> figure
"""

from __future__ import annotations

from experiments.papers.prompt_tuning.ablation import Kinds
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name

INITS = {"uniform": "random uniform", "vocabulary": "sampled vocabulary", "class_labels": "class labels"}


class Start(Kinds):
    experiment = "prompt_tuning/figure3b"
    title = "Prompt Tuning, Figure 3 (b): initialization"
    caption = (
        "Prompt Tuning from numbers drawn uniformly, from words drawn from the first 5,000 of the vocabulary, and "
        "from the words of the class labels, the rest of the rows drawn likewise (Prompt Tuning, Figure 3 b)."
    )
    x = "initialization"

    def at(self, run: RunConfig) -> tuple[float, str]:
        init = (run.prompt or {}).get("init", {}).get("name")
        if init not in INITS:
            raise InputError(f"{run_name(run)} has no place in figure3b: sweep prompt.init={','.join(INITS)}.")
        return list(INITS).index(init), INITS[init]


FIGURE = Start()

if __name__ == "__main__":
    FIGURE.main()
