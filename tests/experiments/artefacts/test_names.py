"""Every artefact is found by its experiment's name alone: its sweep, its code, its make target, its files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.artefacts import methods, names, published, sidecar
from experiments.artefacts.counted import Counted
from experiments.artefacts.remake import artefact
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store

ROOT = Path(__file__).parents[3]
FOLDER = compose.CONF / "experiment"
EXPERIMENTS = sorted(str(file.relative_to(FOLDER).with_suffix("")) for file in FOLDER.rglob("*.yaml"))
RUN = ["task=rte", "method=fine_tuning"]


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_names_of_papers_beside_p_tuning_v2_begin_with_the_papers():
    found = ("p_tuning_v2/table2", "ablations/placement", "spot/table1", "prompt_tuning/figure1")
    assert [names.called(one) for one in found] == ["table2", "placement", "spot-table1", "prompt-tuning-figure1"]
    assert names.module("spot/table1") == "experiments.papers.spot.table1"
    assert names.module("ablations/placement") == "experiments.ablations.placement"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_has_its_artefact_and_its_make_target(experiment):
    one = artefact(experiment)
    assert str(one.folder) == f"{one.kind}/{experiment.rpartition('/')[0]}"
    commands = make("--dry-run", f"reproduce-{names.called(experiment)}", "VENV=/nowhere")
    trains = not isinstance(one, Counted)
    assert (f"experiments.run -m experiment={experiment} profile=laptop" in commands) == trains
    assert (f"experiments.status experiment={experiment} " in make("--dry-run", "status", "VENV=/nowhere")) == trains
    assert f"python -m {names.module(experiment)} profile=laptop" in commands


def test_help_says_what_each_experiments_file_says_first():
    known = make("help")
    for experiment in EXPERIMENTS:
        first = (FOLDER / f"{experiment}.yaml").read_text().splitlines()[1].removeprefix("# ").removesuffix(".")
        assert re.search(rf"make reproduce-{names.called(experiment)} +{re.escape(first)}\n", known)


def test_what_is_no_experiment_is_refused():
    with pytest.raises(InputError, match=r"^spot/table9 is no table or figure: there is no module experiments.papers"):
        artefact("spot/table9")


def test_a_papers_numbers_that_are_not_there_are_asked_for():
    with pytest.raises(InputError, match=r"results/published/spot/table9.csv is missing: put the paper's own numbers"):
        published.read("spot/table9")


def test_two_sidecars_of_one_name_are_refused(tmp_path):
    for folder in ("p_tuning_v2", "ablations"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "table2.records.json").touch()
    with pytest.raises(InputError, match=r"^table2 is there twice"):
        sidecar.files(tmp_path)


def test_every_methods_file_says_how_it_is_shown_and_no_two_alike():
    files = sorted(file.stem for file in (compose.CONF / "method").glob("*.yaml"))
    shown = {}
    for name in files:
        shown[name] = methods.of(store.dump(compose.read_unchecked(compose.composed(["task=btc", f"method={name}"]))))
    assert {name: one.name for name, one in shown.items()} == {name: name for name in files}
    assert shown["mpt_2"].label == "MPT-2" and shown["p_tuning_v2"].label == "PT-2"
    for part in ("label", "color", "marker"):
        assert len({getattr(one, part) for one in shown.values()}) == len(files)


def test_a_method_without_a_label_is_refused(make_run):
    run = make_run("fine_tuning")
    assert methods.label(run) == "FT"
    with pytest.raises(InputError, match=r"^method lora has no label: give its file"):
        methods.shown("lora")


@pytest.mark.parametrize(
    ("overrides", "label"),
    [
        (["task=btc", "method=mpt_2"], "MPT-2"),
        (["task=btc", "method=p_tuning_v2", "init=prompt", "+task@sources.a.task=ner_open"], "MPT-2"),
        (["task=rte", "method=p_tuning_v2", "init=prompt", "+task@sources.a.task=cb"], "PT-2 from cb"),
        (["task=rte", "method=p_tuning_v2", "init=prompt", "+task@sources.a.task=ner_open"], "PT-2 from ner_open"),
        (["task=rte", "method=p_tuning_v2", "init=prompt", "+sources.a.id=0123456789"], "PT-2 from 0123456789"),
        (
            ["task=rte", "method=prompt_tuning", "init=prompt", "+task@sources.a.task=cb", "+sources.b.seed=1"],
            "PT from cb, rte",
        ),
    ],
    ids=str,
)
def test_a_run_from_sources_is_called_by_the_file_that_adds_them_or_by_what_it_starts_from(overrides, label):
    run = compose.read(compose.composed(overrides))
    assert methods.label(run) == label
    assert methods.looks([label])[label] == methods.of(store.dump(run)).look


def test_two_files_that_show_one_method_are_refused(tmp_path, monkeypatch):
    shutil.copytree(compose.CONF / "method", tmp_path / "method")
    (tmp_path / "method/twin.yaml").write_text((tmp_path / "method/fine_tuning.yaml").read_text())
    monkeypatch.setattr(compose, "CONF", tmp_path)
    cached = (methods._loaded, methods._files, methods._by_method)
    for one in cached:
        one.cache_clear()
    try:
        with pytest.raises(InputError, match=r"conf/method/fine_tuning.yaml and conf/method/twin.yaml both say how"):
            methods.shown("prompt_tuning")
    finally:
        for one in cached:
            one.cache_clear()
