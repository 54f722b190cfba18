"""results/runs/INDEX.md says what tells runs apart, and is current."""

from __future__ import annotations

import subprocess
from pathlib import Path

from experiments.artefacts import index
from ptuning.records import store
from tests.experiments.records import fake_record

ROOT = Path(__file__).parents[3]


def lines(*configs, **facts):
    found = {Path(f"{place}.json"): fake_record(config, [60.0, 71.5], **facts) for place, config in enumerate(configs)}
    return index.text(found).splitlines()


def test_a_line_says_what_its_run_does_otherwise_than_most(make_run):
    told = lines(
        make_run(seed=1), make_run(seed=2), make_run(seed=3, prompt__layers="1-2", train__lr=0.5), make_run(task="cb")
    )
    assert told[told.index("## cb") + 4] == "* [seed 1](3.json): accuracy 71.5, epoch 2 of 2"
    start = told.index("## rte")
    assert told[start + 2 :] == [
        "### tiny_bert, PT-2",
        "",
        "3 runs, with layers all, lr 0.01 where nothing else is said.",
        "",
        "* [seed 1](0.json): accuracy 71.5, epoch 2 of 2",
        "* [seed 2](1.json): accuracy 71.5, epoch 2 of 2",
        "* [seed 3, layers 1-2, lr 0.5](2.json): accuracy 71.5, epoch 2 of 2",
    ]


def test_a_diverged_run_says_so(make_run):
    assert lines(make_run(), status="diverged")[-1] == "* [seed 1](0.json): diverged"


def test_the_committed_index_is_of_the_committed_records():
    """Those that git knows: a clone may have more of its own."""
    asked = ["git", "ls-files", "results/runs/*.json"]
    tracked = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    runs = ROOT / "results/runs"
    found = {(ROOT / file).relative_to(runs): store.read(ROOT / file) for file in tracked}
    assert index.text(found) == (runs / "INDEX.md").read_text(), "out of date: make index"
