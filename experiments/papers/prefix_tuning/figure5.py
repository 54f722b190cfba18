"""Figure 5 of Prefix-Tuning: what a prefix starts from, where there are few examples to learn from.

python -m experiments.run -m experiment=prefix_tuning/figure5 profile=laptop     # train what is missing
python -m experiments.papers.prefix_tuning.figure5 profile=laptop                # records -> figure
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.artefacts.figure import Point
from experiments.artefacts.style import Look
from experiments.papers.prefix_tuning.low_data import LowData
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_name

LOOKS = {
    "random": Look("#D55E00", "v", "--"),
    "words of the task": Look("#0072B2", "^", "-"),
    "words of something else": Look("#009E73", "D", ":"),
}
TASK_WORDS = "name :"  # which the task's own begin with (conf/profile)


class Start(LowData):
    experiment = "prefix_tuning/figure5"
    title = "Prefix-Tuning, Figure 5: what a prefix starts from"
    caption = (
        "Prefixes from drawn weights and from real words' activations, to which the MLP is fitted first, on subsets "
        "of E2E (Prefix-Tuning, Figure 5). The paper's numbers are not at hand."
    )

    def series_of(self, run: RunConfig) -> str:
        init = (run.prompt or {}).get("init", {})
        if init.get("name") == "activations":
            return list(LOOKS)[1 if str(init["text"]).startswith(TASK_WORDS) else 2]
        if init.get("name") == "torch_default":
            return "random"
        raise InputError(f"{run_name(run)} has no place in {self.name}: sweep init=torch_default,activations.")

    def series(self, points: Sequence[Point]) -> Mapping[str, Look]:
        return LOOKS


FIGURE = Start()

if __name__ == "__main__":
    FIGURE.main()
