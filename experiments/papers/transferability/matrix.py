"""Transferability's zero-shot matrix: how well each task's prompt answers each task, as it is.

python -m experiments.run -m experiment=transferability/matrix profile=laptop     # train what is missing
python -m experiments.evaluate experiment=transferability/matrix profile=laptop
python -m experiments.papers.transferability.matrix profile=laptop                # records -> figure
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.colors import Normalize
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from experiments.artefacts import published
from experiments.artefacts.artefact import Output
from experiments.artefacts.figure import Point, Spot, about
from experiments.artefacts.heat_map import ONE_WAY, HeatMap, Shade
from ptuning.analysis import cells
from ptuning.config import RunConfig
from ptuning.launch import evaluations
from ptuning.launch.evaluations import Asked

UNTRAINED = "untrained"
PAPERS = {"SST2": "sst2", "MNLI": "mnli", "snli": "snli", "QNLI": "qnli", "QQP": "qqp", "MRPC": "mrpc"}  # its names
PAPERS_UNTRAINED = "random"


@dataclass(frozen=True)
class Relative:
    """A prompt's score on a task in percent of that of the task's own prompt; over seeds their mean and sample
    standard deviation."""

    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_seed)

    @property
    def text(self) -> str:
        return f"{self.mean:.0f}" + (f"\n±{statistics.stdev(self.by_seed):.0f}" if len(self.by_seed) > 1 else "")


class Matrix(HeatMap):
    """A heat map a backbone, the paper's beside ours where tasks are the same."""

    experiment = "transferability/matrix"
    title = "Transferability: each task's prompt on each task"
    caption = (
        "Scores of each source task's prompt (rows) on each target task (columns), zero-shot, in percent of the score "
        "of the target's own prompt (Transferability, zero-shot transfer). Tasks that answer each other well stand "
        "together."
    )
    value, colors = "relative", ONE_WAY

    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        asked = evaluations.asked([f"experiment={self.experiment}", *overrides])
        points = [*zero_shot(asked, self.rule), *super().points(runs), *_published()]
        return self.output(points, self.notes_of(points), {}, stem)

    def spots(self, runs: Sequence[RunConfig]) -> list[tuple[Spot, RunConfig]]:
        """Of prompts as they start; the others answer in evaluations."""
        at = len(runs)
        return [(Spot(run.backbone.name, run.single.name, at, UNTRAINED), run) for run in runs if is_untrained(run)]

    def shades(self, points: Sequence[Point]) -> dict[tuple[str, str], Shade]:
        return {key: Shade(one.mean, one.text) for key, one in relative(points).items()}

    def order(self, shades: Mapping[tuple[str, str], Shade]) -> tuple[list[str], list[str]]:
        """Rows as columns, by how well they answer each other; what is no task, below."""
        columns = _clustered(shades)
        return [*columns, *dict.fromkeys(row for row, _ in shades if row not in columns)], columns

    def scale(self, values: np.ndarray) -> Normalize:
        return Normalize(min(50.0, float(np.nanmin(values, initial=50))), 100, clip=True)

    def notes_of(self, points: Sequence[Point]) -> list[str]:
        behind = [(p.spot.series, p.cell) for p in points if p.ours and p.spot.label != UNTRAINED]
        return [
            *about(behind, self.rule),
            f"{UNTRAINED.capitalize()}: a prompt as it starts, words of the vocabulary. Colours end at 100: a prompt "
            "may answer a task better than the task's own. ±: over seeds, source and own prompt of one seed; none for "
            "a single one.",
            "The paper's are its authors' released results, a single run each, of the tasks that are here too; its "
            f"{PAPERS_UNTRAINED} prompt stands as {UNTRAINED}. flan_t5_small saw most of these tasks before.",
        ]


def is_untrained(run: RunConfig) -> bool:
    return run.train.steps == 0


def zero_shot(asked: Sequence[Asked], rule: str) -> list[Point]:
    """A point a backbone, source task and target task, of the prompts of all seeds."""
    groups: dict[Spot, list[Asked]] = {}
    sources = list(dict.fromkeys(one.runs[0].single.name for one in asked))
    for one in asked:
        source = one.runs[0].single.name
        spot = Spot(one.config.backbone.name, one.target, sources.index(source), source)
        groups.setdefault(spot, []).append(one)
    return [_point(spot, group, rule) for spot, group in groups.items()]


def _point(spot: Spot, group: Sequence[Asked], rule: str) -> Point:
    of_runs = cells.cell([run for one in group for run in one.runs], rule)
    cell = cells.cell([one.config for one in group], rule)
    return Point(spot, replace(cell, epochs=of_runs.epochs, train_examples=of_runs.train_examples))


def relative(points: Sequence[Point]) -> dict[tuple[str, str], Relative]:
    """Of points of one panel, by source and target, where both it and the target's own are there."""
    own = {p.spot.series: p.cell for p in points if p.spot.label == p.spot.series}
    found = {}
    for point in points:
        best = own.get(point.spot.series)
        if best is None or best.mean is None or point.cell.mean is None or not all(best.scores):
            continue
        pairs = zip(point.cell.scores, best.scores, strict=True)
        found[point.spot.label, point.spot.series] = Relative(tuple(100 * score / top for score, top in pairs))
    return found


def _clustered(shades: Mapping[tuple[str, str], Shade]) -> list[str]:
    """The target tasks, those that answer each other well side by side: average linkage of what is lost both ways; in
    the order in which they come where a pair is missing."""
    names = list(dict.fromkeys(column for _, column in shades))
    if len(names) < 3 or any((row, column) not in shades for row in names for column in names):
        return names
    lost = np.array([[100 - min(100.0, shades[row, column].value) for column in names] for row in names])
    both = (lost + lost.T) / 2
    np.fill_diagonal(both, 0)
    return [names[index] for index in leaves_list(linkage(squareform(both), "average", optimal_ordering=True))]


def _published() -> list[Point]:
    """The released results between tasks that are here."""
    rows = PAPERS | {PAPERS_UNTRAINED: UNTRAINED}
    return [
        Point(
            Spot(f"{value['model']} (paper)", PAPERS[value["task"]], 0, rows[value["method"]]),
            cells.published_cell(float(value["value"])),
            published.CONFIDENCE[value["confidence"]],
        )
        for value in published.read(Matrix.experiment)
        if value["task"] in PAPERS and value["method"] in rows
    ]


FIGURE = Matrix()

if __name__ == "__main__":
    FIGURE.main()
