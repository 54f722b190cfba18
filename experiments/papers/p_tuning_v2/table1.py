"""Table 1 of P-Tuning v2: what each method has.

    python -m experiments.papers.p_tuning_v2.table1

Our rows are read from what the methods declare: their classes, and the runs that their papers' files make of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from experiments.artefacts import methods, published
from experiments.artefacts.artefact import Output
from experiments.artefacts.counted import Counted
from ptuning import heads, registry
from ptuning import methods as adapting
from ptuning.analysis import rendering
from ptuning.config import MixtureConfig, RunConfig
from ptuning.errors import InputError
from ptuning.methods.base import PromptMethod

COLUMNS = ["Task", "Re-param.", "Deep PT", "Multi-task", "No verbalizer"]  # as the paper has them
KINDS = {  # of tasks, by the head that answers them; the paper counts questions among sequence labelling
    "classification": "NLU",
    "choice": "NLU",
    "regression": "NLU",
    "token": "SeqTag",
    "span": "SeqTag",
}


class Table1(Counted):
    kind = "tables"
    experiment = "p_tuning_v2/table1"
    title = "Table 1"
    caption = "What methods have (P-Tuning v2, Table 1)."

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        frame = pd.DataFrame([*self.rows(runs), *self.published_rows()], columns=["Method", *COLUMNS])
        notes = self.notes()
        text, latex = rendering.markdown(frame, notes), rendering.latex(frame, self.caption, notes)
        return Output(text, {"md": text, "tex": latex, "csv": frame.to_csv(index=False)}, [frame], [], notes)

    def rows(self, runs: Sequence[RunConfig]) -> Iterator[list[str]]:
        """One a method, of all of its runs. Raises InputError for a method without a prompt."""
        for name in dict.fromkeys(run.method for run in runs):
            kind, mine = adapting.load(name), [run for run in runs if run.method == name]
            if not issubclass(kind, PromptMethod):
                raise InputError(f"method={name} has no prompt, so no row in table1: leave it out.")
            yield [
                methods.shown(name).label,
                ", ".join(_tasks(mine)),
                " or ".join(dict.fromkeys(run.prompt["reparameterization"]["name"] for run in mine if run.prompt)),
                _said(kind.kind == "deep"),
                _said(any(isinstance(source.task, MixtureConfig) for run in mine for source in run.sources.values())),
                _said(not any(_speaks(run) for run in mine)),
            ]

    def published_rows(self) -> list[list[str]]:
        values = published.read(self.experiment)
        shown = {(one["method"], one["metric"]): one["value"] + _mark(one) for one in values}
        return [
            [f"paper: {method}", *(shown[method, column] for column in COLUMNS)]
            for method in dict.fromkeys(one["method"] for one in values)
        ]

    def notes(self) -> list[str]:
        return [
            "Ours: what the methods' classes declare, and the files of conf/paper/<paper> (conf/method/mpt_2 for "
            "several tasks) set. Any method here goes with any head, and a prompt of any can start from a mixture's: "
            "a row says what its paper does. Prefix-Tuning and Soft prompts have the paper's rows alone.",
            published.MARKS,
        ]


def _tasks(runs: Sequence[RunConfig]) -> list[str]:
    """Kinds of tasks that the heads of `runs` answer, those of all tasks' own where a run leaves it to them."""
    answered = dict[str, None]()
    for run in runs:
        chosen = registry.names("ptuning.heads") if run.head.name == "auto" else [run.head.name]
        for name in chosen:
            answered |= dict.fromkeys((name, *heads.load(name).also_answers))
    return list(dict.fromkeys(KINDS[name] for name in KINDS if name in answered))


def _speaks(run: RunConfig) -> bool:
    """Whether its answers are words that the language-model head says."""
    return run.head.name != "auto" and heads.load(run.head.name).needs_language_model


def _said(holds: bool) -> str:
    return "yes" if holds else "no"


def _mark(value: published.Value) -> str:
    return published.CONFIDENCE[value["confidence"]]


TABLE = Table1()

if __name__ == "__main__":
    TABLE.main()
