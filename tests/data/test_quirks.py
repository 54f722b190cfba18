"""What is odd about data: refused where it cannot be meant, else counted, told once and kept in the record."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptuning import tasks
from ptuning.config import DataConfig, RunConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.run import run
from ptuning.sweep.progress import run_summary
from ptuning.training.datasets import DatasetCache
from tests.conftest import make_backbone
from tests.data.test_splits import HUB, RTE, local, put, root
from tests.tasks.test_tasks import ROWS
from tests.tasks.test_token_and_span_tasks import GOLD_CONLL, load, refused, save

__all__ = ["root"]


def read(name: str, folder: Path, train: list[Any], dev: list[Any]) -> splits.TaskData:
    for split, rows in (("train", train), ("val", dev)):
        put(folder / f"superglue/{tasks.load(name).folder}/{split}.jsonl", rows)
    return splits.load(tasks.load(name), DataConfig(source="local", root=str(folder)))


# --- groups


@pytest.mark.parametrize("name", ["multirc", "record"])
def test_rows_with_one_idx_are_refused(name: str, tmp_path: Path) -> None:
    first, second = HUB[name][2]
    assert len(read(name, tmp_path, [first, second], [first]).train) > 2
    path = tmp_path / f"superglue/{tasks.load(name).folder}/train.jsonl"
    with pytest.raises(InputError) as caught:
        read(name, tmp_path, [first, second, {**second, "idx": first["idx"]}], [first])
    assert str(caught.value).startswith(f"{path}:3: idx=0 is that of {path}:1 as well, and answers are grouped by it")


@pytest.mark.parametrize("name, path", [("multirc", ["passage", "questions"]), ("record", ["qas"])])
def test_questions_of_a_row_with_one_idx_are_refused(name: str, path: list[str]) -> None:
    row = copy.deepcopy(HUB[name][2][0])
    asked: Any = row
    for key in path:
        asked = asked[key]
    asked[1]["idx"] = asked[0]["idx"]
    refused(lambda: tasks.load(name).examples(row, "file:7"), "file:7: idx=0 stands twice, and answers are grouped by")


# --- what cannot be meant


def test_answers_none_of_which_is_an_entity_are_refused_and_some_are_counted(tmp_path: Path) -> None:
    row = copy.deepcopy(HUB["record"][2][1])
    row["qas"][0]["answers"] = [{"text": "Genoa"}, {"text": "Pisa"}]
    assert read("record", tmp_path, [row], HUB["record"][2]).quirks["train"] == {
        "answers that are no entity of the passage": 1
    }
    row["qas"][0]["answers"] = [{"text": "Genoa"}]
    refused(lambda: tasks.load("record").examples(row, "file:7"), "file:7: none of the answers (Genoa) to the query")


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("wsc", {"span1_index": 5}, "file:7: span1_index=5 is not one of the text's 5 words: "),
        ("wsc", {"span2_index": -1}, "file:7: span2_index=-1 is not one of the text's 5 words: "),
        ("wsc", {"span2_index": "3"}, 'file:7: span2_index="3" is not an integer: '),
        (
            "wsc",
            {"span2_index": 10**30},
            "file:7: span2_index=1000000000000000000000000000000 is not an integer of 64",
        ),
        ("wic", {"end1": 16}, "file:7: start1=4 and end1=16 are not inside sentence1 of 15 characters: "),
        ("wic", {"start2": 12}, "file:7: start2=12 and end2=12 are not inside sentence2 of 13 characters: "),
        ("wic", {"start2": -1}, "file:7: start2=-1 and end2=12 are not inside sentence2 of 13 characters: "),
        ("wic", {"start1": None}, "file:7: start1=null is not an integer: "),
    ],
)
def test_an_impossible_index_or_offset_is_refused(name: str, change: dict[str, Any], message: str) -> None:
    row = copy.deepcopy(ROWS[name])
    (row["target"] if name == "wsc" else row).update(change)
    refused(lambda: tasks.load(name).examples(row, "file:7"), message)


def test_questions_need_no_index_and_no_offset() -> None:
    asked = {key: value for key, value in ROWS["wic"].items() if key in ("word", "sentence1", "sentence2")}
    target = {key: value for key, value in ROWS["wsc"]["target"].items() if key.endswith("text")}
    for name, row in (("wic", asked), ("wsc", {"text": ROWS["wsc"]["text"], "target": target})):
        (example,) = tasks.load(name).examples(row, "file:7")
        assert not example.labelled


def test_a_frame_without_its_verb_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, "conll12", GOLD_CONLL.replace("(V*)     *        -", "*        *        -"))
    refused(lambda: load("conll12", tmp_path), f"{path}:3: the predicate 'came' has no verb (V) among its roles: mark")


@pytest.mark.parametrize("word", ["\u200b", "\u00a0", "\ufeff"])
def test_an_entity_of_a_blank_word_is_refused_and_other_blank_words_are_counted(word: str, tmp_path: Path) -> None:
    path = save(tmp_path, "btc", f"Ada\tB-PER\n{word}\tI-PER\n")
    refused(
        lambda: load("btc", tmp_path), f"{path}:2: the word {word!r} is blank, and tagged I-PER: give the entity a "
    )
    save(tmp_path, "btc", f"Ada\tB-PER\n{word}\tO\n")
    assert load("btc", tmp_path).quirks == {"train": {"blank words": 1}}


# --- what is counted


def test_words_in_another_form_and_spans_in_another_case_are_counted(tmp_path: Path) -> None:
    rows = [ROWS["wic"], {**ROWS["wic"], "word": "lend", "start1": 9, "end1": 14}]
    assert read("wic", tmp_path, rows, [{**ROWS["wic"], "idx": 9, "sentence1": "A bank is a bank."}]).quirks == {
        "train": {"words that stand in the sentence in another form": 2},
        "dev": {"words that stand in the sentence in another form": 1},
    }
    odd = copy.deepcopy(ROWS["wsc"])
    odd["target"]["span1_text"] = "anna"
    assert read("wsc", tmp_path, [odd], [ROWS["wsc"]]).quirks == {
        "train": {"spans that differ from the words at their index": 1}
    }


def test_a_predicate_whose_verb_stands_elsewhere_is_counted(tmp_path: Path) -> None:
    moved = GOLD_CONLL.replace("come  01", "come  - ").replace("to      TO   (PP*         -     -", "to TO (PP* to 01")
    save(tmp_path, "conll12", moved)
    assert load("conll12", tmp_path).quirks["train"] == {"predicates whose verb (V) stands elsewhere": 1}


def test_dev_rows_that_stand_in_train_are_counted(root: Path) -> None:
    assert local(root).quirks == {"dev": {"of 6 rows that stand in train as well": 6}}
    put(root / "superglue/RTE/val.jsonl", [{**RTE[0], "idx": 99}, {**RTE[1], "premise": "Number 1"}])
    assert local(root).quirks == {"dev": {"of 2 rows that stand in train as well": 1}}
    assert splits.load(tasks.load("rte"), DataConfig(source="miniature")).quirks == {}


# --- where it is said

Make = Callable[..., RunConfig]


def test_quirks_are_told_once_a_load_and_counts_stand_in_the_record_and_its_line(
    make_run: Make, tmp_path: Path
) -> None:
    save(tmp_path / "data", "conll03")
    data = {"source": "local", "root": str(tmp_path / "data")}
    config = make_run(task="conll03", data=data, train__epochs=1, task__max_length=64)
    (record,) = run([config])
    assert record["data"]["counts"]["train"] == {"sentences": 2, "entities": 4}
    assert record["data"]["quirks"] == {"dev": {"of 2 rows that stand in train as well": 1},
                                        "test": {"of 2 rows that stand in train as well": 1}}  # fmt: skip
    line = run_summary(config, json.loads(json.dumps(record)), False)
    assert "local data; train 2 sentences, 4 entities; dev 2 sentences, 4 entities; test 2 sentences" in line
    told: list[str] = []
    cache = DatasetCache(make_backbone(), told.append)
    for seed in (1, 2):
        cache.of(Run.parse(make_run(task="conll03", data=data, task__max_length=64, seed=seed)), "conll03")
    both = "1 of 2 rows that stand in train as well"
    assert told == [f"conll03, local data: dev: {both}; test: {both}"]


def test_a_record_without_counts_has_the_line_that_it_had(make_run: Make) -> None:
    config = make_run(train__epochs=1)
    (record,) = run([config])
    assert "counts" not in record["data"] and "quirks" not in record["data"]
    assert "miniature data)" in run_summary(config, record, False)
