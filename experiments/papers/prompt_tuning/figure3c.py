"""Figure 3 (c) of Prompt Tuning: what the backbone was pre-trained for.

    python -m experiments.run -m experiment=prompt_tuning/figure3c profile=laptop     # train what is missing
    python -m experiments.papers.prompt_tuning.figure3c profile=laptop                       # records -> figure

The sentinel stands where the template has `<mask>`: at the end of the text too, where the paper has it before the
answer alone. An adapted backbone with a sentinel is ours.
"""

from __future__ import annotations

from experiments.papers.prompt_tuning.ablation import Kinds, adaptation
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name

OBJECTIVES = {  # by whether it is adapted as a language model, and whether a sentinel comes before the answer
    (False, False): "span corruption",
    (False, True): "span corruption + sentinel",
    (True, False): "LM adaptation",
    (True, True): "LM adaptation + sentinel",
}


class Objective(Kinds):
    experiment = "prompt_tuning/figure3c"
    title = "Prompt Tuning, Figure 3 (c): pre-training objective"
    caption = (
        "Prompt Tuning on a backbone pre-trained on span corruption, the same with T5's sentinel before the answer, "
        "and the same backbone adapted as a language model (Prompt Tuning, Figure 3 c). Where the backbone is "
        "flan_t5_small, FLAN's instruction tuning lies between span corruption and all of these."
    )
    x = "pre-training objective"
    width = 6.0

    def backbone(self, run: RunConfig) -> str:
        return adaptation(run.backbone)[0]

    def at(self, run: RunConfig) -> tuple[float, str]:
        template = run.head.keys.get("template")
        if template is None:
            raise InputError(f"{run_name(run)} has no template, so no place in figure3c: set head=verbalizer.")
        key = (adaptation(run.backbone)[1] > 0, "<mask>" in template)
        return list(OBJECTIVES).index(key), OBJECTIVES[key]


FIGURE = Objective()

if __name__ == "__main__":
    FIGURE.main()
