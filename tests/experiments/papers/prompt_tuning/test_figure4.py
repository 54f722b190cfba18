"""Figure 4 of Prompt Tuning is counted from the methods, and agrees with what the paper prints."""

from __future__ import annotations

import pytest

from experiments.artefacts import published
from experiments.papers.prompt_tuning.figure4 import CONFIGS, FIGURE
from ptuning.errors import InputError

SMALL = ["profile=laptop", "backbone=t5_v1_1_small"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    text, files = FIGURE.write(SMALL, results)
    return text, files


def test_it_needs_no_record(made):
    text, files = made
    assert {file.suffix for file in files} == {".md", ".csv", ".svg", ".png", ".json"}
    assert "| t5_v1_1_small " in text


def test_a_prompt_of_100_costs_what_the_paper_says():
    """One row a size; the methods' own numbers are 100 times the width."""
    values = {
        value["model"].rpartition(" ")[2].lower(): int(value["value"]) for value in published.read(FIGURE.experiment)
    }
    assert values == {name.rpartition("-")[2]: 100 * width for name, (width, *_) in CONFIGS.items()}


def test_counts_are_those_of_the_checkpoint_and_of_the_methods(made):
    rows = [line.strip("| ").split("|") for line in made[0].splitlines() if line.startswith("| t5_v1_1_small")]
    counts = {row[1].strip(): (row[2].strip(), row[4].strip()) for row in rows}
    whole = "76,961,152"  # google/t5-v1_1-small
    assert counts["FT"] == (whole, whole)
    assert counts["PT, length 1"] == ("512", "512")
    assert counts["PT, length 100"] == ("51,200", "51,200")
    deep = f"{100 * 8 * 2 * 6 * 64:,}"
    assert counts["PT-2, length 100"] == (deep, deep)
    assert counts["PT-2, length 100, mlp"] == (f"{100 * 512 + 512 * 512 + 512 + 513 * 8 * 2 * 6 * 64:,}", deep)
    assert counts["P-Tuning, length 100, lstm"][1] == "51,200"


def test_another_backbone_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^backbone.id=all_minilm_l6_v2|^backbone.id=minilm_l6"):
        FIGURE.write(["profile=laptop", "backbone=minilm_l6"], tmp_path)
