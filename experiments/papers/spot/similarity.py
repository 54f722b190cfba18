"""SPoT: what a target gains from a source's prompt, against how alike the two are early in training.

python -m experiments.run -m experiment=spot/similarity profile=laptop     # train what is missing: figure2's runs
python -m experiments.evaluate experiment=spot/similarity profile=laptop   # compare their prompts
python -m experiments.papers.spot.similarity profile=laptop                # records -> figure
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scipy import stats

from experiments.artefacts import compared, style
from experiments.artefacts.artefact import Output
from experiments.artefacts.figure import Figure, Point, Spot, about
from experiments.artefacts.sources import BASELINE, source_of
from experiments.artefacts.style import Look
from ptuning.analysis import cells
from ptuning.config import RunConfig
from ptuning.records.identity import run_id, source_id
from ptuning.records.similarities import Similarities

METRICS = {"cosine_averaged": "averaged tokens", "cosine_pairs": "pairs of tokens"}  # the paper's two
Key = tuple[str, str, int]  # backbone, target task, seed


class Gains(Figure):
    """A panel a backbone and measure, a point a source and target."""

    experiment = "spot/similarity"
    title = "SPoT: gain against the similarity of task embeddings"
    caption = (
        "What a target gains from starting at a source's prompt, over the vocabulary's words, in points, against the "
        "cosine of the two tasks' embeddings: their prompts after a few steps (SPoT, section 3)."
    )
    x = "similarity"

    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        points = self.scattered(runs, compared.of_backbones(self.experiment, overrides))
        behind = [(f"{p.spot.panel.partition(',')[0]}, {p.spot.series}", p.cell) for p in points]
        notes = [*about(behind, self.rule), *_correlations(points)]
        return self.output(points, notes, {p.spot.panel: "gain (points)" for p in points}, stem)

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        """Where a gain stands follows from prompts too: `scattered`."""
        return []

    def scattered(self, runs: Sequence[RunConfig], likeness: Mapping[str, Similarities]) -> list[Point]:
        """The mean gain over seeds, at the mean similarity."""
        plain = baselines(runs)
        groups: dict[tuple[str, str, str], list[RunConfig]] = {}
        for run in runs:
            if source_of(run) != BASELINE:
                groups.setdefault((run.backbone.name, run.single.name, source_of(run)), []).append(run)
        found = []
        for (backbone, target, source), group in groups.items():
            own, other = (cells.cell(one, self.rule) for one in (group, [plain[key_of(run)] for run in group]))
            if own.mean is None or other.mean is None:
                continue
            gains = tuple(a - b for a, b in zip(own.scores, other.scores, strict=True))
            cell = replace(own, scores=gains, records=own.records + other.records)
            for metric, words in METRICS.items():
                at = statistics.fmean(alike(run, plain, likeness, metric) for run in group)
                spot = Spot(f"{backbone}, {words}", target, at, f"{at:.3f} ({source})")
                found.append(Point(spot, cell))
        return found

    def series(self, points: Sequence[Point]) -> Mapping[str, Look]:
        """Targets by marker and colour, in turn."""
        names = dict.fromkeys(point.spot.series for point in points)
        return {name: style.LOOKS[place % len(style.LOOKS)] for place, name in enumerate(names)}

    def is_line(self, points: Sequence[Point]) -> bool:
        return False

    def axis(self, axes: Any, points: Sequence[Point]) -> None:
        """A plain axis: points have no ticks of their own."""
        axes.axhline(0, color=style.INK, linewidth=0.8)


def key_of(run: RunConfig) -> Key:
    return run.backbone.name, run.single.name, run.seed


def baselines(runs: Sequence[RunConfig]) -> dict[Key, RunConfig]:
    """The runs without a source."""
    return {key_of(run): run for run in runs if not run.sources}


def alike(run: RunConfig, plain: Mapping[Key, RunConfig], likeness: Mapping[str, Similarities], metric: str) -> float:
    """How alike the embeddings of a run's target and of its source are: that of the target is of the run without a
    source, as one has it before one chooses."""
    (source,) = run.source_runs
    return likeness[run.backbone.name].between(metric, run_id(plain[key_of(run)]), source_id(source))


def _correlations(points: Sequence[Point]) -> list[str]:
    """A sentence a panel."""
    lines = []
    for panel in dict.fromkeys(point.spot.panel for point in points):
        mine = [point for point in points if point.spot.panel == panel]
        pairs = [(point.spot.x, point.cell.mean) for point in mine]
        if len(pairs) < 3 or any(len(set(values)) < 2 for values in zip(*pairs, strict=True)):
            lines.append(f"{panel}: {len(pairs)} pairs, too few for a correlation, or all alike.")
            continue
        pearson, spearman = (of(*zip(*pairs, strict=True)) for of in (stats.pearsonr, stats.spearmanr))
        lines.append(
            f"{panel}: {len(pairs)} pairs of a source and a target; Pearson's r {_said(pearson)}, Spearman's rank "
            f"correlation {_said(spearman)}. Pairs of one target, or source, are not independent."
        )
    return lines


def _said(found: Any) -> str:
    value, p = float(found.statistic), float(found.pvalue)
    return "--" if math.isnan(value) else f"{value:+.2f} (p = {p:.2g})"


FIGURE = Gains()

if __name__ == "__main__":
    FIGURE.main()
