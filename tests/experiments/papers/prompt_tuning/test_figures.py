"""Prompt Tuning's figures from records alone: where each run's point stands, and what they say of themselves."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from experiments.papers.prompt_tuning.ablation import adaptation
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from tests.experiments.records import fake_record

PANELS = ["figure3a", "figure3b", "figure3c", "figure3d"]


def made(name, tmp_path, *overrides):
    """The figure of a sweep whose runs score 50, 51, 52, … in its order, and its runs."""
    figure = artefact(f"prompt_tuning/{name}")
    runs = figure.runs(["profile=laptop", f"runtime.results={tmp_path}", *overrides])
    for place, run in enumerate(runs):
        record = fake_record(run, [50 + place], source="miniature")
        store.write(
            run, record | {"parameters": {"trained": 1, "total": 10**6 * len(run.backbone.name), "share": 0.1}}
        )
    return figure.build(runs, name), runs


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("figure3a", ["1", "5", "20", "100", "150"]),
        ("figure3b", ["random uniform", "sampled vocabulary", "class labels"]),
        ("figure3c", ["span corruption", "span corruption + sentinel"]),
    ],
)
def test_a_run_stands_at_what_it_varies_and_in_nothing_else_do_runs_differ(name, places, tmp_path):
    output, runs = made(name, tmp_path, "task=cb")
    (frame,) = output.frames
    x = artefact(f"prompt_tuning/{name}").x
    assert list(frame[x]) == places
    assert [float(score.split()[0]) for score in frame["score"]] == [50 + place for place in range(len(places))]
    assert len(runs) == len(output.places) == len(places)


def test_an_adapted_backbone_stands_in_the_panel_of_what_it_was_before(tmp_path):
    names = {"t5_v1_1_base": ("t5_v1_1_base", 0), "t5_base_lm_adapt": ("t5_v1_1_base", 100_000)}
    ours = {"flan_t5_small_lm200": ("flan_t5_small", 200), "bert_tiny_adapted": ("bert_tiny_adapted", 0)}
    for name, expected in (names | ours).items():
        assert adaptation(compose.read_unchecked(compose.composed([f"backbone={name}"])).backbone) == expected
    backbones = f"backbone={','.join(names)}"
    output, _ = made("figure3d", tmp_path, "task=cb", backbones)
    assert list(output.frames[0][""]) == ["cb, t5_v1_1_base"] * 2
    assert list(output.frames[0]["steps of LM adaptation"]) == ["0", "100,000"]
    output, _ = made("figure3c", tmp_path, "task=cb", backbones)
    assert set(output.frames[0]["pre-training objective"]) == {
        "span corruption", "span corruption + sentinel", "LM adaptation", "LM adaptation + sentinel",
    }  # fmt: skip


def test_the_small_profile_makes_its_adapted_backbones_of_the_data_s_text(tmp_path):
    output, runs = made("figure3d", tmp_path, "profile=small", "data=local", "data.root=/data", "task=cb", "seed=11")
    assert list(output.frames[0]["steps of LM adaptation"]) == ["0", "200", "1,000"]
    assert list(output.frames[0][""]) == ["cb, flan_t5_small"] * 3
    recipes = [run.backbone.adaptation for run in runs]
    assert {recipe.text for recipe in recipes if recipe} == {"/data/text"}


def test_sizes_are_of_the_records_and_what_confounds_them_is_said(tmp_path):
    output, runs = made("figure1", tmp_path, "task=sst2")
    assert len(runs) == 4 and set(output.frames[0]["series"]) == {"FT", "PT"}
    assert "size is confounded" in output.text
    assert "sst2" in output.files["csv"] and "SST-2 95.07ᵃ" in output.text and "not at hand" in output.text


@pytest.mark.parametrize("name", ["figure3b", "figure3c"])
def test_a_run_without_a_place_is_refused(name, make_run):
    """One that starts from normal values, without a template."""
    with pytest.raises(InputError, match=f"no place in {name}"):
        artefact(f"prompt_tuning/{name}").spots([make_run("prompt_tuning", "cb")])


@pytest.mark.parametrize("name", ["figure1", *PANELS])
@pytest.mark.parametrize("profile", ["small", "paper"])
def test_every_profile_reads_it(name, profile):
    runs = compose.expand([f"experiment=prompt_tuning/{name}", f"profile={profile}"])
    prompted = [run for run in runs if run.method == "prompt_tuning"]
    assert {(run.train.optimizer, run.train.lr, run.train.schedule) for run in prompted} == {
        ("adafactor", 0.3, "constant")
    }
    assert {run.head.keys["loss"] for run in runs} == {"vocabulary"}
