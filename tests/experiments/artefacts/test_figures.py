"""Figures from records alone: the data behind each equals a text that a person has read, and files are the same twice.

The scores are made up by rules that the goldens show: what a figure does with them can be checked by eye.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import pytest

from experiments.ablations.efficiency import FIGURE as EFFICIENCY
from experiments.ablations.placement import FIGURE as PLACEMENT
from experiments.ablations.protocol import FIGURE as PROTOCOL
from experiments.ablations.selection import FIGURE as SELECTION
from experiments.artefacts import canvas
from experiments.artefacts.remake import artefact, remake
from experiments.papers.p_tuning_v2.figure1 import FIGURE as FIGURE1
from experiments.papers.p_tuning_v2.figure3 import FIGURE as FIGURE3
from experiments.papers.p_tuning_v2.figure4 import FIGURE as FIGURE4
from ptuning.analysis import cells
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from tests.conftest import MLP, NONE
from tests.data.test_mixtures import child_of
from tests.experiments.records import fake_record

GOLDEN = Path(__file__).parent / "golden"
WHOLE = {"data__train_rows": None, "data__dev_rows": None}


def recorded(config, *scores, **facts):
    store.write(config, fake_record(config, scores, **facts) | {"backbone": {"layers": 3}})
    return config


@pytest.fixture
def sizes(make_run):
    """RTE scores 60 + seed, CB 10 more, BoolQ 20 more; PT 6 below; one run of the larger backbone is missing."""
    runs = []
    for name, total in (("tiny_bert", 10_000), ("tiny_roberta", 20_000_000)):
        for method in ("fine_tuning", "prompt_tuning"):
            for place, task in enumerate(("rte", "cb", "boolq")):
                for seed in (1, 2):
                    config = make_run(method, task, seed, backbone__id=name, backbone__name=name, **WHOLE)
                    runs.append(config)
                    if (name, method, task, seed) != ("tiny_roberta", "prompt_tuning", "cb", 2):
                        record = fake_record(config, [60 + seed + 10 * place - 6 * (method == "prompt_tuning")])
                        store.write(config, record | {"parameters": {"trained": 31, "total": total, "share": 0.1}})
    return runs


@pytest.fixture
def depths(make_run):
    """A point for each prompted layer, and ten more where the top one, 3, is among them."""
    worth = {"1": 51, "2": 51, "3": 61, "1-2": 52, "2-3": 62, "all": 63, "[1, 3]": 62}
    return [
        recorded(make_run(prompt__layers=json.loads(layers) if "[" in layers else layers, **WHOLE), score)
        for layers, score in worth.items()
    ]


@pytest.fixture
def lengths(make_run):
    """50 + length, the MLP 0.5 better on RTE and worse on CB, 10 worse at its own rate; seed 2 is better by 1."""
    return [
        recorded(
            make_run(
                "p_tuning_v2",
                task,
                seed,
                prompt__length=length,
                prompt__reparameterization={"none": NONE, "mlp": MLP}[way],
                train__lr=lr,
                **WHOLE,
            ),
            50 + length + seed + gain * (way == "mlp") - 10 * (lr < 1e-2),
        )
        for task, gain in (("rte", 0.5), ("cb", -0.5))
        for way, lr in (("none", 1e-2), ("mlp", 1e-2), ("mlp", 1e-3))
        for length in (2, 4, 8)
        for seed in (1, 2)
    ]


@pytest.fixture
def placements(make_run):
    """Infix is 1, 2 and 3 points better with input prompts, and the same with deep ones; a miniature is marked."""
    return [
        recorded(
            make_run(method, task, seed, prompt__placement=placement, **WHOLE),
            70 + seed + seed * (placement == "infix" and method == "prompt_tuning"),
            source="miniature" if task == "cb" else "local",
        )
        for method in ("prompt_tuning", "p_tuning_v2")
        for task in ("rte", "cb")
        for placement in ("prefix", "infix")
        for seed in (1, 2, 3)
    ]


@pytest.fixture
def choices(make_run):
    """Kept positions cost 2, 0 and 4 points; a trained pooler is only there for one seed; the others are missing."""
    base = [recorded(make_run(seed=seed, **WHOLE), 70) for seed in (1, 2, 3)]
    kept = [recorded(make_run(seed=seed, prompt__positions="keep", **WHOLE), 70 - loss)
            for seed, loss in ((1, 2), (2, 0), (3, 4))]  # fmt: skip
    pooled = [make_run(seed=seed, backbone__pooler="trained", **WHOLE) for seed in (1, 2, 3)]
    recorded(pooled[0], 75)
    return [*base, *kept, *pooled]


@pytest.fixture
def answered(make_run):
    """PT: every epoch answers alike, so there is nothing to choose; PT-2: ten epochs each answer at random, so that
    the best of them is luck; FT: its record is older than the keeping of answers."""
    runs = []
    for method in ("fine_tuning", "prompt_tuning", "p_tuning_v2"):
        config = make_run(method, **WHOLE)
        digits = {"prompt_tuning": ["1110" * 10] * 10, "p_tuning_v2": _coins(10, 40)}.get(method, [""] * 10)
        record = fake_record(config, [100 * one.count("1") / 40 if one else 50 for one in digits])
        for epoch, right in zip(record["history"], digits, strict=True):
            epoch["right"] = right
        store.write(config, record)
        runs.append(config)
    return runs


def _coins(epochs, examples):
    """Digits of a linear congruential generator: the same everywhere."""
    state, rows = 1, []
    for _ in range(epochs):
        row = ""
        for _ in range(examples):
            state = (1103515245 * state + 12345) % 2**31
            row += str(state >> 16 & 1)
        rows.append(row)
    return rows


@pytest.fixture
def budgets(make_run):
    """A point more for ten times the parameters."""
    worth = [("fine_tuning", {}, 10_000, 74), ("prompt_tuning", {"prompt__length": 2}, 100, 72)]
    worth += [("p_tuning_v2", {"prompt__length": n}, n * 500, 72 + i) for i, n in enumerate((2, 20))]
    runs = []
    for method, overrides, trained, score in worth:
        config = make_run(method, **overrides, **WHOLE)
        record = fake_record(config, [score])
        store.write(config, record | {"parameters": {"trained": trained, "total": 10_000, "share": 0.5}})
        runs.append(config)
    return runs


FIGURES = [
    (FIGURE1, "sizes"), (FIGURE3, "depths"), (FIGURE4, "lengths"), (PLACEMENT, "placements"), (PROTOCOL, "choices"),
    (SELECTION, "answered"), (EFFICIENCY, "budgets"),
]  # fmt: skip


@pytest.mark.parametrize(("figure", "sweep"), FIGURES, ids=lambda one: getattr(one, "name", one))
def test_the_data_behind_a_figure_equal_those_that_were_read(figure, sweep, request):
    made = figure.build(request.getfixturevalue(sweep), figure.name)
    assert made.text == (GOLDEN / f"{figure.name}.md").read_text()


@pytest.mark.parametrize(("figure", "sweep"), FIGURES, ids=lambda one: getattr(one, "name", one))
def test_a_drawing_is_the_same_twice_whatever_the_users_settings(figure, sweep, request, monkeypatch):
    runs = request.getfixturevalue(sweep)
    made = figure.build(runs, figure.name)
    ElementTree.fromstring(made.files["svg"])
    for key, value in {"lines.linewidth": 7, "savefig.bbox": "tight", "axes.titleweight": "bold"}.items():
        monkeypatch.setitem(matplotlib.rcParams, key, value)
    assert made.files == figure.build(runs, figure.name).files


@pytest.mark.parametrize(("figure", "sweep"), FIGURES, ids=lambda one: getattr(one, "name", one))
def test_every_point_leads_to_the_cell_that_it_shows(figure, sweep, request, monkeypatch):
    """Where a point is drawn is what the text of the cell says that its link names."""
    drawn, link = [], canvas.link

    def noted(axes, x, y, stem, index):
        drawn.append((x, y, index))
        link(axes, x, y, stem, index)

    monkeypatch.setattr(canvas, "link", noted)
    made = figure.build(request.getfixturevalue(sweep), figure.name)
    links = re.findall(rf'href="../report/index.html#{figure.name}-(\d+)"', made.files["svg"])
    assert sorted(map(int, links)) == sorted(index for _, _, index in drawn) and drawn
    for x, y, index in drawn:
        place = made.places[index]
        shown = float(place.text.split()[0])
        assert place.records
        assert (y if place.column == "score" else x) == pytest.approx(shown, abs=0.051)


@pytest.mark.parametrize(("figure", "sweep"), FIGURES, ids=lambda one: getattr(one, "name", one))
def test_every_cell_stands_where_the_sidecar_says(figure, sweep, request):
    made = figure.build(request.getfixturevalue(sweep), figure.name)
    for place in made.places:
        assert made.frames[place.frame].loc[place.row, place.column].startswith(place.text)
    behind = {name for place in made.places for name in (*place.records, *place.missing)}
    assert len(behind) == len(request.getfixturevalue(sweep))


def test_an_average_of_tasks_is_taken_seed_by_seed(sizes):
    cells = {(p.spot.label, p.spot.series): p.cell for p in FIGURE1.points(sizes) if p.ours}
    whole = cells["tiny_bert", "FT"]
    assert whole.scores == (71, 72)
    assert whole.text == "71.5 ± 0.7"
    gap = cells["tiny_roberta", "PT"]
    assert (gap.text, gap.mean, len(gap.records), len(gap.missing)) == ("-- (5/6)", None, 5, 1)


def test_the_papers_sizes_and_averages_are_all_there():
    papers = [point for point in FIGURE1.points([]) if not point.ours]
    assert len(papers) == 4 * 3
    assert {point.spot.x for point in papers} == {335e6, 355e6, 2e9, 10e9}
    fine_tuned = next(p for p in papers if (p.spot.series, p.spot.x) == ("FT (paper)", 335e6))
    assert fine_tuned.cell.mean == pytest.approx((77.7 + 94.6 + 70.4) / 3)


def test_an_average_of_other_tasks_than_the_papers_is_refused(sizes):
    with pytest.raises(InputError, match=r"task=cb,rte is refused: figure1 averages boolq, cb, rte, all three"):
        FIGURE1.points([run for run in sizes if run.task.name != "boolq"])


def test_nothing_to_compare_and_lines_that_look_alike_are_refused(make_run):
    with pytest.raises(InputError, match=r"placement: no runs differ in one key alone: sweep prompt.placement"):
        PLACEMENT.lines([make_run()])
    both = [make_run(prompt__length=n, prompt__placement=place) for n in (2, 3) for place in ("prefix", "infix")]
    with pytest.raises(InputError, match="stands in several lines: sweep no key besides those compared"):
        PLACEMENT.lines(both)


def test_a_run_from_another_is_compared_under_a_name_that_says_so(make_run):
    runs = [child_of(make_run(prompt__placement=place)) for place in ("prefix", "infix")]
    assert [line.where for line in PLACEMENT.lines(runs)] == ["rte, tiny_bert, PT-2 from mixed"]


def test_a_run_without_a_place_is_refused(make_run):
    with pytest.raises(InputError, match=r"has no prompt.layers, so no place in figure3"):
        FIGURE3.points([make_run("prompt_tuning")])
    with pytest.raises(InputError, match=r"has no place in figure4: sweep reparameterization"):
        FIGURE4.points([make_run("fine_tuning")])


def test_what_was_written_is_remade_from_its_sidecar(tmp_path):
    """Also of other local data folders: where the data lie is not told."""
    asked = ["profile=small", "data=local", "++data.root=/anywhere", "seed=11", "task=cb", "++runtime.weights=/secret"]
    recorded(FIGURE4.runs([*asked, f'runtime.results="{tmp_path}"'])[0], 70)
    _, files = FIGURE4.write(asked, results=tmp_path)
    before = {file: file.read_bytes() for file in files}
    sidecar = next(file for file in files if file.name.endswith(".records.json"))
    told = json.loads(sidecar.read_text())
    assert told["overrides"] == ["profile=small", "data=local", 'data.root="<folder>"', "seed=11", "task=cb"]
    assert str(tmp_path) not in sidecar.read_text() and "/anywhere" not in sidecar.read_text()
    assert "/secret" not in sidecar.read_text()
    assert sidecar.name == "figure4_small.records.json"
    assert remake(sidecar) == files
    assert {file: file.read_bytes() for file in files} == before


def test_what_was_made_is_not_replaced_by_gaps(tmp_path):
    asked = ["profile=small", "data=local", 'data.root="<folder>"', "task=cb"]
    recorded(FIGURE4.runs([*asked, "seed=11", f'runtime.results="{tmp_path}"'])[0], 70)
    _, files = FIGURE4.write([*asked, "seed=11"], results=tmp_path)
    before = {file: file.read_bytes() for file in files}
    with pytest.raises(InputError, match=r"none of the 9 runs of .*seed=12.*: train .* was made with .*seed=11.*\)\."):
        FIGURE4.write([*asked, "seed=12"], results=tmp_path)
    assert {file: file.read_bytes() for file in files} == before
    with pytest.raises(InputError, match=r"none of the 6 runs of experiment=p_tuning_v2/figure3 .*there\.$"):
        FIGURE3.write([*asked, "seed=12"], results=tmp_path)


def heights(figure, runs):
    """What is drawn of each series: the points of its line, NaN where it breaks."""
    points = figure.points(runs)
    (axes,) = figure.draw(points, figure.name, {}).axes
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines if not line.get_label().startswith("_")}


def test_a_line_breaks_where_a_run_is_missing(make_run):
    """Also where only the missing record could tell how far to the right it belongs."""
    runs = [make_run(seed=1, prompt__length=length, **WHOLE) for length in (2, 4, 8)]
    for run, score in ((runs[0], 60), (runs[2], 70)):
        recorded(run, score)
    for figure, series in ((FIGURE4, "embedding"), (EFFICIENCY, "PT-2")):
        first, middle, last = heights(figure, runs)[series]
        assert (first, last) == (60, 70) and math.isnan(middle)


def test_each_learning_rate_of_an_mlp_is_a_series(make_run):
    runs = [make_run(**WHOLE)]
    runs += [make_run(prompt__reparameterization=MLP, train__lr=lr, **WHOLE) for lr in (1e-4, 1e-2)]
    for run in runs:
        recorded(run, 60)
    assert list(heights(FIGURE4, runs)) == ["embedding", "MLP, lr 0.01", "MLP, lr 0.0001"]


@pytest.mark.parametrize("content", ["", "[]", '{"name": "figure4"}'])
def test_a_sidecar_that_does_not_tell_is_refused(tmp_path, content):
    (tmp_path / "figure4.records.json").write_text(content)
    with pytest.raises(InputError, match="does not say what it is of"):
        remake(tmp_path / "figure4.records.json")


def test_an_average_needs_all_of_its_tasks(make_run):
    one = cells.cell([recorded(make_run(**WHOLE), 70)], "best_dev")
    none = cells.cell([make_run(task="cb", **WHOLE)], "best_dev")
    assert cells.average([one, one]).scores == (70,)
    assert cells.average([one, none]).text == "-- (1/2)"


ROOT = Path(__file__).parents[3]
TRACKED = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
COMMITTED = [ROOT / file for file in TRACKED.split() if file.endswith(".records.json")]


@pytest.mark.parametrize("sidecar", COMMITTED, ids=lambda path: path.name)
def test_what_is_committed_is_what_the_committed_records_give(sidecar, tmp_path):
    """Tables, data and vector drawings, byte for byte."""
    told, root = json.loads(sidecar.read_text()), sidecar.parents[2]
    one = artefact(told["name"])
    made = one.build(one.runs([*told["overrides"], f'runtime.results="{root}"']), sidecar.name.partition(".")[0])
    stem = sidecar.name.removesuffix(".records.json")
    for ending, content in made.files.items():
        if isinstance(content, str):
            assert content == (sidecar.parent / f"{stem}.{ending}").read_text(), ending


def test_figures_of_a_sweep_in_several_parts_know_all_of_its_runs():
    runs = compose.expand(["experiment=ablations/protocol", "profile=laptop", "seed=1,2"])
    lines = PROTOCOL.lines(runs)
    assert [line.words[1] for line in lines] == [one.words[1] for one in PROTOCOL.comparisons]
    assert all(line.first.expected == line.second.expected == 2 for line in lines)
