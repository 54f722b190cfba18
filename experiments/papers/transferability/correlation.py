"""Transferability's correlations: how well each measure of likeness tells which prompt transfers.

python -m experiments.run -m experiment=transferability/correlation profile=laptop     # train what is missing
python -m experiments.evaluate experiment=transferability/correlation profile=laptop   # transfer, and likeness
python -m experiments.papers.transferability.correlation profile=laptop                # records -> figure
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy import stats

from experiments.artefacts import canvas, compared, style
from experiments.artefacts.artefact import Artefact, Output
from experiments.artefacts.sidecar import Place
from ptuning.analysis import cells, rendering
from ptuning.analysis.cells import Cell
from ptuning.config import RunConfig
from ptuning.launch import evaluations
from ptuning.launch.evaluations import Asked
from ptuning.records.identity import run_id
from ptuning.records.similarities import Similarities

FEWEST = 3  # sources that can be ranked for a target


@dataclass(frozen=True)
class Correlation:
    """Of a measure and zero-shot transfer on a backbone: by seed, the mean over target tasks of Spearman's rank
    correlation over their sources; `cells` are those of the evaluations behind it."""

    backbone: str
    metric: str
    by_seed: Mapping[int, float]
    cells: Sequence[Cell]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.by_seed.values()) if self.by_seed else None

    @property
    def text(self) -> str:
        if self.mean is None:
            return "--"
        several = len(self.by_seed) > 1
        return f"{self.mean:+.2f}" + (f" ± {statistics.stdev(self.by_seed.values()):.2f}" if several else "")


class Correlations(Artefact):
    kind = "figures"
    experiment = "transferability/correlation"
    title = "Transferability: which measure of likeness tells what transfers"
    caption = (
        "Spearman's rank correlation between how alike a source's and a target's prompt are and the source prompt's "
        "score on the target, zero-shot, over the sources of a target; the mean over targets (Transferability, "
        "transferability indicators)."
    )

    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        asks = [f"experiment={self.experiment}", *overrides]
        likeness = compared.of_backbones(self.experiment, overrides)
        found = self.correlations(evaluations.asked(asks), likeness)
        with style.styled():
            drawn = canvas.rendered(_draw(found, stem))
        frame, notes = self.frame(found), self.notes(found)
        text = rendering.markdown(frame, [self.caption, *notes])
        places = [
            Place.of(one.cells, {"backbone": one.backbone, "measure": one.metric}, row, "correlation", one.text)
            for row, one in enumerate(found)
        ]
        return Output(text, {"md": text, "csv": _long_form(found), **drawn}, [frame], places, notes)

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        return self.make(runs, stem, [])

    def correlations(self, asked: Sequence[Asked], likeness: Mapping[str, Similarities]) -> list[Correlation]:
        """One a backbone and metric."""
        found = []
        for backbone, alike in likeness.items():
            ours = [one for one in asked if one.config.backbone.name == backbone]
            scored = [(one, cells.cell([one.config], self.rule)) for one in ours]
            behind = [cell for _, cell in scored]
            found += [
                Correlation(backbone, metric, _by_seed(scored, alike, metric), behind) for metric in alike.metrics
            ]
        return found

    def frame(self, found: Sequence[Correlation]) -> pd.DataFrame:
        rows = [[one.backbone, one.metric, one.text, str(len(one.by_seed))] for one in found]
        return pd.DataFrame(rows, columns=["Backbone", "measure", "correlation", "seeds"])

    def notes(self, found: Sequence[Correlation]) -> list[str]:
        scored = {name for one in found for cell in one.cells for name in cell.records}
        missing = {name for one in found for cell in one.cells for name in cell.missing}
        return [
            f"Evaluations: {len(scored)}"
            + (f"; missing: {len(missing)}" if missing else "")
            + ". A task's own prompt is no source of it. Targets on which all sources score the same, or with fewer "
            f"than {FEWEST}, have no correlation and are left out; ± is over seeds, the values that all prompts start "
            "from.",
            "neurons_…: the overlap of activated neurons, layers as numbered, in an encoder-decoder its decoder's; of "
            "gated units the gate's.",
        ]


def _by_seed(scored: Sequence[tuple[Asked, Cell]], likeness: Similarities, metric: str) -> dict[int, float]:
    """The mean over targets, of each seed that has any."""
    own = {(one.target, one.runs[0].seed): run_id(one.runs[0]) for one, _ in scored if one.target == _source(one)}
    pairs: dict[int, dict[str, list[tuple[float, float]]]] = {}
    for one, cell in scored:
        seed = one.runs[0].seed
        if cell.mean is not None and one.target != _source(one) and (one.target, seed) in own:
            alike = likeness.between(metric, run_id(one.runs[0]), own[one.target, seed])
            pairs.setdefault(seed, {}).setdefault(one.target, []).append((alike, cell.mean))
    means = {
        seed: [found for one in of.values() if (found := _spearman(one)) is not None] for seed, of in pairs.items()
    }
    return {seed: statistics.fmean(found) for seed, found in sorted(means.items()) if found}


def _source(one: Asked) -> str:
    return one.runs[0].single.name


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """None where there is nothing to rank."""
    if len(pairs) < FEWEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        found = float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
    return None if math.isnan(found) else found


def _long_form(found: Sequence[Correlation]) -> str:
    rows = [
        {"backbone": one.backbone, "measure": one.metric, "seed": seed, "correlation": value}
        for one in found
        for seed, value in one.by_seed.items()
    ]
    columns = ["backbone", "measure", "seed", "correlation"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, float_format="%.6g")


def _draw(found: Sequence[Correlation], stem: str) -> Any:
    """A panel a backbone, a line a measure: the mean, and the seeds as faint points."""
    names = list(dict.fromkeys(one.backbone for one in found)) or [""]
    most = max((sum(one.backbone == name for one in found) for name in names), default=1)
    figure, panels = canvas.panels(len(names), width=4.8, height=0.9 + 0.24 * most)
    look = style.LOOKS[0]
    for axes, name in zip(panels, names, strict=True):
        mine = [(index, one) for index, one in enumerate(found) if one.backbone == name]
        axes.axvline(0, color=style.INK, linewidth=0.8)
        for row, (index, one) in enumerate(mine):
            if one.mean is None:
                continue
            seeds = list(one.by_seed.values())
            axes.plot(seeds, [row] * len(seeds), "o", color=look.color, alpha=0.35, markersize=3.5)
            axes.plot([one.mean], [row], marker=look.marker, color=look.color)
            canvas.link(axes, one.mean, row, stem, index)
        axes.set_yticks(range(len(mine)), [one.metric for _, one in mine])
        axes.set(title=name, xlabel="rank correlation with transfer", xlim=(-1.05, 1.05))
        axes.set_ylim(len(mine) - 0.5, -0.5)
    return figure


FIGURE = Correlations()

if __name__ == "__main__":
    FIGURE.main()
