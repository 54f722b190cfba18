"""Prefix-Tuning's tables and figures from records alone: each run has its place, the paper's numbers below."""

from __future__ import annotations

import pytest

from experiments.artefacts.remake import artefact
from ptuning.errors import InputError
from ptuning.records import store
from tests.experiments.records import fake_record

SCORES = {"bleu": 40.0, "nist": 5.0, "rouge_l": 50.0, "cider": 1.0}


def made(name, tmp_path, *overrides):
    """An artefact of the laptop profile, each of whose runs scores one point more than the one before."""
    found = artefact(f"prefix_tuning/{name}")
    runs = found.runs(["profile=laptop", f"runtime.results={tmp_path}", *overrides])
    for place, run in enumerate(runs):
        record = fake_record(run, [50], source="miniature")
        scores = {**SCORES, "bleu": 40.0 + place}
        line = {
            "epoch": run.train.epochs or 1,
            "step": run.train.steps or 10,
            "dev": scores,
            "tests": dict.fromkeys(("test", "seen", "unseen", "all"), scores),
        }
        tests = dict.fromkeys(line["tests"], 8)
        record |= {"metric": "bleu", "score": scores["bleu"], "history": [line]}
        store.write(run, record | {"data": record["data"] | {"test_examples": tests}})
    return found.build(runs, name), runs


def test_table_1_has_a_row_a_method_above_the_papers(tmp_path):
    output, runs = made("table1", tmp_path)
    frame = output.frames[0].set_index(["Backbone", "Method"])
    assert len(runs) == 6
    assert frame.loc[("flan_t5_small", "FT"), "E2E BLEU"].startswith("40.0")
    assert frame.loc[("flan_t5_small", "Prefix"), "DART BLEU"].startswith("45.0")
    assert frame.loc[("paper: GPT-2 medium", "Prefix 0.1%"), "E2E BLEU"] == "69.7ˢ"
    assert frame.loc[("paper: GPT-2 medium", "Prefix 0.1%"), "WebNLG BLEU unseen"] == "45.6ˢ"


def test_table_4_tells_prefix_infix_and_embeddings_apart(tmp_path):
    output, runs = made("table4", tmp_path)
    ours = output.frames[0][output.frames[0]["Backbone"] == "smollm2_135m"].set_index("Method")
    scores = {row: score.split()[0] for row, score in ours["E2E BLEU"].items() if score}
    assert scores == {"prefix, 5": "40.0", "infix, 5": "41.0", "embedding-only, 5": "42.0"}
    assert [(run.method, run.prompt["placement"]) for run in runs] == [
        ("prefix_tuning", "prefix"), ("prefix_tuning", "infix"), ("prompt_tuning", "prefix"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("figure3", {"FT", "Prefix"}),
        ("figure4", {"Prefix"}),
        ("figure5", {"random", "words of the task", "words of something else"}),
    ],
)
def test_each_run_has_a_point(name, series, tmp_path):
    output, runs = made(name, tmp_path)
    frame = output.frames[0]
    assert set(frame["series"]) == series
    assert len(frame) == len(runs) == len(output.places)


def test_runs_without_a_place_are_refused(tmp_path, make_run):
    run = make_run("fine_tuning")
    with pytest.raises(InputError, match="has no prompt, so no place in figure4"):
        artefact("prefix_tuning/figure4").spots([run])
    everything = run.model_copy(update={"data": run.data.model_copy(update={"train_rows": None})})
    with pytest.raises(InputError, match="learns from all rows, so it has no place in figure3"):
        artefact("prefix_tuning/figure3").spots([everything])
    with pytest.raises(InputError, match="sweep init=torch_default,activations"):
        artefact("prefix_tuning/figure5").spots([make_run("prefix_tuning")])
