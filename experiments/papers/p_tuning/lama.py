"""LAMA by P-Tuning: the hand template, virtual tokens in its place, and P-Tuning v2 beside it.

    python -m experiments.run -m experiment=p_tuning/lama profile=laptop     # train what is missing
    python -m experiments.papers.p_tuning.lama profile=laptop                       # records -> table

A run is one relation. Precision at 1 is averaged over relations, as LAMA does, and over all their facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.artefacts import methods
from experiments.artefacts.table import Column, Key, Table
from ptuning.analysis import cells
from ptuning.config import RunConfig
from ptuning.records import store

HAND = "hand template"
ENCODERS = {"lstm": "P-Tuning, LSTM", "mlp": "P-Tuning, MLP", "none": "P-Tuning, no encoder"}
DEEP = "PT-2, hand template"
BY_FACTS = "P@1 over facts"


@dataclass(frozen=True)
class LAMA(Table):
    """A row a way to ask; a cell is of all relations."""

    def row(self, run: RunConfig) -> str:
        if run.method == "p_tuning":
            return ENCODERS[(run.prompt or {})["reparameterization"]["name"]]
        return {"zero_shot": HAND, "p_tuning_v2": DEEP}.get(run.method, methods.label(run))

    def cells(self, runs: Sequence[RunConfig]) -> dict[Key, cells.Cell]:
        by_relation: dict[tuple[str, str], list[RunConfig]] = {}
        for run in runs:
            relation = run.single.options["relation"], f"{run.backbone.name} {self.row(run)}"
            by_relation.setdefault(relation, []).append(run)
        found: dict[Key, list[tuple[cells.Cell, int]]] = {}
        for group in by_relation.values():
            for key, cell in super().cells(group).items():
                found.setdefault(key, []).append((cell, _facts(group)))
        return {
            key: cells.average(
                [cell for cell, _ in several], [facts for _, facts in several] if key[2] == BY_FACTS else None
            )
            for key, several in found.items()
        }


def _facts(runs: Sequence[RunConfig]) -> int:
    """In the test set of the runs' relation, as their records say; 1 where there is none, and so no mean."""
    records = [record for run in runs if (record := store.find(run)) is not None]
    return records[0]["data"]["test_examples"]["test"] if records else 1


TABLE = LAMA(
    experiment="p_tuning/lama",
    title="LAMA (T-REx)",
    caption="Facts asked for by LAMA's hand templates, by P-Tuning's virtual tokens, and by P-Tuning v2.",
    columns=[
        Column("P@1 over relations", "lama", "test"),
        Column(BY_FACTS, "lama", "test"),
        Column("P@1 over relations on dev", "lama"),
    ],
    methods=[HAND, *ENCODERS.values(), DEEP],
    paper="arXiv:2103.10385",
    scores="Precision at 1 in percent, each relation split 80/10/10 by a seed: chosen on dev, reported on test. What "
    "can be answered is every word of one token in the backbone's vocabulary; facts whose object is none are left "
    "out. A decoder's virtual tokens stand around the subject alone. The paper's numbers are not comparable: its "
    "split (AutoPrompt's) and its shared vocabulary are not at hand.",
    miniature="Chance is below 1.",
)

if __name__ == "__main__":
    TABLE.main()
