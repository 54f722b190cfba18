"""GLUE: its tab-separated files, parts of it in JSON, the hub's rows, and STS-B's numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

from ptuning import tasks
from ptuning.config import DataConfig, RunConfig
from ptuning.data import sources, splits
from ptuning.errors import InputError
from ptuning.heads.regression import Regression
from ptuning.run import run
from ptuning.tasks import stsb
from ptuning.tasks.kinds.examples import Example, Rating
from tests.conftest import GLUE
from tests.tasks.glue_files import FILES, ROWS, as_json, save

NAMES = [*GLUE, "stsb"]
IN_JSON = [name for name in NAMES if tasks.load(name).files["train"].endswith(".json")]
TSV = {split: f"glue/{{folder}}/{split}.tsv" for split in ("train", "dev")}


def local(root: Path, name: str, **keys: Any) -> DataConfig:
    return DataConfig(source="local", root=str(root), **keys)


def rows_of(name: str, config: DataConfig) -> list[Any]:
    return [row for _, row in sources.rows(tasks.load(name), config)["train"]]


# --- files


@pytest.mark.parametrize("name", NAMES)
def test_official_files_are_read_as_they_stand(name: str, tmp_path: Path) -> None:
    save(tmp_path, name)
    for path in (TSV["train"], TSV["dev"]):
        file = tmp_path / path.format(folder=tasks.load(name).folder)
        file.write_text(FILES[name], encoding="utf-8")
    config = local(tmp_path, name, files=TSV)
    assert rows_of(name, config) == ROWS[name]
    assert len(splits.load(tasks.load(name), config).dev) == len(ROWS[name])


@pytest.mark.parametrize("name", IN_JSON)
def test_parts_in_json_hold_the_same_rows(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, name)
    assert path.suffix == ".json" and rows_of(name, local(tmp_path, name)) == ROWS[name]


def test_rows_become_examples_with_labels_in_the_hub_s_order() -> None:
    found = {
        name: [example for row in ROWS[name] for example in tasks.load(name).examples(row, "here")] for name in NAMES
    }
    assert found["sst2"] == [Example((('it is " good ', None),), 1), Example((("it is bad", None),), 0)]
    assert [example.label for example in found["mnli"]] == [0, 1, 2]
    assert [example.label for example in found["qnli"]] == [0, 1]
    assert found["qqp"][0] == Example((("Who?", "Which one?"),), 1)
    for name in GLUE:
        assert list(found[name][0].texts) == list(tasks.load(name).template_fields)
    assert found["stsb"][1] == Rating((("A man.", "A dog."),), 0.6)


def test_the_mismatched_set_is_read_where_it_is_named(tmp_path: Path) -> None:
    save(tmp_path, "mnli")
    assert splits.load(tasks.load("mnli"), local(tmp_path, "mnli")).tests == {}
    (tmp_path / "other.tsv").write_text("\n".join(FILES["mnli"].splitlines()[:2]), encoding="utf-8")
    loaded = splits.load(tasks.load("mnli"), local(tmp_path, "mnli", files={"mismatched": "other.tsv"}))
    assert [example.label for example in loaded.tests["mismatched"]] == [0]
    with pytest.raises(InputError, match=r"files\.mismatched is not a split: choose from train, dev, official_dev"):
        splits.load(tasks.load("snli"), local(tmp_path, "snli", files={"mismatched": "other.tsv"}))


def test_snli_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    path = save(tmp_path, "snli").with_suffix(".tsv")
    path.write_text(FILES["snli"].replace("neutral\tneutral", "neutral\t-"), encoding="utf-8")
    loaded = splits.load(tasks.load("snli"), local(tmp_path, "snli", files={"train": TSV["train"]}))
    assert [example.label for example in loaded.train] == [0, 2]
    assert loaded.quirks["train"] == {"official rows without a label, left out": 1}
    with pytest.raises(InputError, match=r"train\.tsv:3: label '-' is not one of entailment, neutral, contradiction"):
        path.parent.rename(tmp_path / "glue/MNLI")
        splits.load(tasks.load("mnli"), local(tmp_path, "mnli", files={"train": TSV["train"]}))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sst2", "text\tlabel\na\t1\n", r"train\.tsv:1: the header has no column 'sentence', it has 'text, label': "),
        ("sst2", "sentence\tlabel\tlabel\na\t1\t1\n", r"train\.tsv:1: the header has the column 'label' twice: name "),
        ("sst2", "sentence\tlabel\na\tb\t1\n", r"train\.tsv:2: the line has 3 cells, not 2 \(sentence, label\): "),
        ("sst2", "sentence\tlabel\na\t2\n", r"train\.tsv:2: label '2' is not one of 0, 1: correct the line"),
        ("sst2", "index\tsentence\n0\ta\n", r"train\.tsv:2: the row has no label, as in test sets: use a labelled"),
        ("sst2", "sentence\tlabel\n", r"train\.tsv is empty: put the official SST-2 file there"),
        ("cola", "sentence\tlabel\na\t1\n", r"train\.tsv:1: the line has 2 cells, not 4 \(source, label, mark, se"),
        ("stsb", FILES["stsb"].replace("5.000", "5.1"), r"train\.tsv:2: score 5\.1 is not a number from 0 to 5: "),
        ("stsb", FILES["stsb"].replace("5.000", "nan"), r"train\.tsv:2: score nan is not a number from 0 to 5: "),
        ("stsb", FILES["stsb"].replace("5.000", "high"), r"train\.tsv:2: score 'high' is not a number from 0 to 5: "),
        ("qnli", "[]", r"train\.json: the file is not a JSON object of objects: put the official file there"),
        ("qnli", '{"0": []}', r"train\.json: entry '0' is not a JSON object: correct it or remove it"),
        ("qnli", '{"0": {"text_a": "a", "label": "entailment"}}', r"train\.json: entry '0': the key 'text_b' is "),
        ("qnli", as_json("qqp"), r"train\.json: entry '0': label '1' is not one of entailment, not_entailment: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_place(name: str, text: str, said: str, tmp_path: Path) -> None:
    save(tmp_path, name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        splits.load(tasks.load(name), local(tmp_path, name))


# --- hub


@pytest.mark.parametrize("name", NAMES)
def test_a_hub_row_becomes_the_official_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, asked = tasks.load(name), []
    values = getattr(task, "values", ())
    stored = [
        {key: one for key, one in row.items() if key in task.texts}
        | {"label": row["score"] if name == "stsb" else values.index(row["label"]), "idx": idx}
        for idx, row in enumerate(ROWS[name])
    ]

    def load_dataset(path: str, configuration: str, split: str, revision: str | None) -> datasets.Dataset:
        asked.append((path, configuration, split))
        return datasets.Dataset.from_list([*stored, {**stored[0], "label": -1}] if name == "snli" else stored)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    loaded = splits.load(task, DataConfig(source="hub"))
    where = ("stanfordnlp/snli", "plain_text") if name == "snli" else ("nyu-mll/glue", name)
    dev = ("validation_matched", "validation_mismatched") if name == "mnli" else ("validation",)
    assert asked == [(*where, split) for split in ("train", *dev)]
    assert list(loaded.tests) == ["mismatched"] * (name == "mnli")
    assert loaded.train == [example for row in ROWS[name] for example in task.examples(row, "here")]
    assert ("official rows without a label, left out" in loaded.quirks.get("train", {})) == (name == "snli")


# --- STS-B


def test_a_score_as_a_text_is_rounded_to_a_fifth() -> None:
    form = stsb.STSB().text_form()
    given = [Rating((("one", "two"),), score) for score in (0.0, 0.09, 0.11, 2.333, 2.5, 3.8, 4.95, 5.0)]
    assert [form.target(one) for one in given] == ["0.0", "0.0", "0.2", "2.4", "2.4", "3.8", "5.0", "5.0"]
    assert form.source(given[0]) == "sentence1: one sentence2: two"
    said = ["0.2", "5", "alike", "-1.0", "7.0", "nan", "1e3", "4.8"]
    assert form.answers(given, said).tolist() == [0.2, 5.0, -1.0, -1.0, -1.0, -1.0, -1.0, 4.8]


def test_the_regression_head_gives_a_number_and_its_squared_error(make_run: Callable[..., RunConfig]) -> None:
    config = make_run(task="stsb", train__epochs=1)
    (record,) = run([config])
    assert record["metric"] == "pearson" and set(record["history"][0]["dev"]) == {"pearson", "spearman"}
    logits, targets = torch.tensor([[2.0], [4.0]]), torch.tensor([[5.0], [4.0]])
    assert Regression.loss(None, logits, targets) == 9  # type: ignore[arg-type]
    examples = [Rating((("a", "b"),), 5.0), Rating((("a", "b"),), None)]
    assert Regression.targets(examples).tolist() == [5, 0]


def test_answers_that_are_one_number_are_marked_and_correlate_with_nothing() -> None:
    task = tasks.load("stsb")
    examples = [Rating((("a", "b"),), score) for score in (0.0, 2.5, 5.0)]
    same, near = np.array([2.7, 2.7, 2.7]), np.array([2.7, 2.71, 2.72])
    assert (task.constant_answer(examples, same), task.constant_answer(examples, near)) == ("2.70", None)
    assert task.score(examples, same) == {"pearson": 0, "spearman": 0}
    assert task.score(examples, near) == pytest.approx({"pearson": 100, "spearman": 100})
    assert task.format_prediction(examples[0], near[0]) == {"score": 2.7, "text": "b"}


# --- the real files, where they are at hand

COUNTS = {
    "sst2": (67349, 872), "cola": (8551, 1043), "mrpc": (3667, 408), "stsb": (5749, 1500), "mnli": (8999, 1000),
    "qnli": (8999, 1000), "qqp": (8999, 1000), "snli": (8999, 1000),
}  # fmt: skip


@pytest.mark.skipif("PTUNING_DATA" not in os.environ, reason="PTUNING_DATA names no folder with real data")
@pytest.mark.parametrize("name", COUNTS)
def test_the_real_files_have_the_known_row_counts(name: str) -> None:
    loaded = splits.load(tasks.load(name), DataConfig(source="local", root=os.environ["PTUNING_DATA"]))
    assert (len(loaded.train), len(loaded.dev)) == COUNTS[name]
