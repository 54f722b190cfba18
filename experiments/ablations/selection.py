"""The selection optimism of the papers' rule: the best dev epoch against an epoch that other examples chose.

    python -m experiments.run -m experiment=ablations/selection profile=laptop     # train what is missing
    python -m experiments.ablations.selection profile=laptop                       # records -> figure

From the answers that records keep (`ptuning.analysis.selection_optimism`), so for tasks whose metric is accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.artefacts import canvas, methods, style
from experiments.artefacts.artefact import Artefact, Output
from experiments.artefacts.figure import about
from experiments.artefacts.sidecar import Place
from ptuning.analysis import cells, rendering, selection_optimism
from ptuning.analysis.cells import Cell
from ptuning.analysis.selection_optimism import HALVINGS, RESAMPLES, Optimism
from ptuning.config import RunConfig
from ptuning.records import store

COLUMNS = ["task and backbone", "method", "best dev", "held-out half", "optimism [95 %]", "epochs", "runs"]


@dataclass(frozen=True)
class Line:
    """Runs that differ in their seeds alone; no optimism while one of them is missing."""

    where: str
    method: str
    cell: Cell
    optimism: Optimism | None

    @property
    def texts(self) -> list[str]:
        """The held-out score and the optimism, or why there is none."""
        if self.optimism is None:
            return ["--", self.cell.text if self.cell.mean is None else "-- (no answers)"]
        low, high = self.optimism.interval
        return [f"{self.optimism.held_out:.1f}", f"{self.optimism.difference:+.1f} [{low:+.1f}, {high:+.1f}]"]


class Selection(Artefact):
    kind = "figures"
    experiment = "ablations/selection"
    title = "Selection optimism of the best dev epoch"
    caption = (
        "The score of the best dev epoch, as the papers report it, against that of an epoch chosen on a random half "
        "of the dev set and reported on the other."
    )

    def lines(self, runs: Sequence[RunConfig]) -> list[Line]:
        groups: dict[tuple[str, str], list[RunConfig]] = {}
        for run in runs:
            where, method = f"{run.task.name}, {run.backbone.name}", methods.label(run)
            groups.setdefault((where, method), []).append(run)
        return [Line(*key, cells.cell(group, self.rule), _optimism(group)) for key, group in groups.items()]

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        lines = self.lines(runs)
        frame, notes = self.frame(lines), self.notes(lines)
        with style.styled():
            drawn = canvas.rendered(self.draw(lines, stem))
        places = [
            Place.of(
                [line.cell], {"task and backbone": line.where, "method": line.method, "number": of}, row, column, text
            )
            for row, line in enumerate(lines)
            for of, column, text in (
                ("best dev", "best dev", line.cell.text),
                ("optimism", COLUMNS[4], line.texts[1]),
            )
        ]
        text = rendering.markdown(frame, [self.caption, *notes])
        return Output(text, {"md": text, "csv": frame.to_csv(index=False), **drawn}, [frame], places, notes)

    def frame(self, lines: Sequence[Line]) -> pd.DataFrame:
        rows = [
            [line.where, line.method, line.cell.marked, *line.texts, str(line.cell.epochs),
             str(len(line.cell.records))]
            for line in lines
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=COLUMNS)

    def notes(self, lines: Sequence[Line]) -> list[str]:
        return [
            *about([(f"{line.where}, {line.method}", line.cell) for line in lines], self.rule),
            f"Held-out half: the mean over {HALVINGS} halvings, each taken both ways. The interval is as wide "
            f"as a bootstrap over dev examples says ({RESAMPLES} resamples, an example's copies in one half), "
            "centred on the estimate. Half a set chooses worse than a whole one; that cost is in the difference. "
            "`-- (no answers)`: runs are older than the keeping of answers, or their metric is no accuracy.",
        ]

    def draw(self, lines: Sequence[Line], stem: str) -> Any:
        shown = [(row, line) for row, line in enumerate(lines) if line.optimism is not None]
        figure, (axes,) = canvas.panels(1, width=7.2, height=0.5 + 0.3 * max(1, len(shown)))
        axes.axvline(0, color=style.INK, linewidth=0.8)
        looks = methods.looks(line.method for _, line in shown)
        for place, (row, line) in enumerate(shown):
            assert line.optimism is not None
            look = looks[line.method]
            axes.plot(line.optimism.interval, [place, place], color=look.color, linewidth=1.5)
            axes.plot([line.optimism.difference], [place], marker=look.marker, color=look.color)
            canvas.link(axes, line.optimism.difference, place, stem, 2 * row + 1)
        axes.set_yticks(range(len(shown)), [f"{line.where}, {line.method}" for _, line in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set(title=self.title, xlabel="best dev epoch - epoch chosen on the other half (points of percent)")
        return figure


def _optimism(runs: Sequence[RunConfig]) -> Optimism | None:
    found = [store.find(run) for run in runs]
    whole = [record for record in found if record is not None and selection_optimism.has_answers(record)]
    if len(whole) < len(runs):
        return None
    return selection_optimism.optimism([selection_optimism.answers(record) for record in whole])


FIGURE = Selection()

if __name__ == "__main__":
    FIGURE.main()
