"""Tasks that YAML alone declares: every kind from its files to an answer, what is refused, and what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from ptuning import evaluation, registry, tasks
from ptuning.config import DataConfig, RunConfig, TaskConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.heads.multi_label import MultiLabel
from ptuning.metrics.classification import label_f1
from ptuning.predict import Answerer
from ptuning.records import weights
from ptuning.records.identity import run_id
from ptuning.sweep.sweep import launch
from tests.tasks.custom.cases import CASES, SPLITS, WORDS, write
from tests.test_evaluation import asked

QUESTION = {  # enough for every case
    "text": "the shop", "one": "the", "two": "shop", "three": "it", "a": "so", "b": "no", "words": ["the", "shop"],
    "tokens": ["the", "shop"], "question": "what is it", "context": "the shop is good", "source": "the shop",
}  # fmt: skip


def task(kind: str, options: dict[str, Any], name: str = "mine") -> dict[str, Any]:
    return {"name": name, "kind": kind, "max_length": 48, "options": options}


def own(name: str, kind: str, options: dict[str, Any], root: Path | str) -> dict[str, Any]:
    """What makes a run on the task, of the keys of `make_run`."""
    data = {"source": "local", "root": str(root)}
    return {"task": name, "task__kind": kind, "task__options": options, "task__max_length": 48, "data": data}


def loaded(folder: Path, kind: str, options: dict[str, Any], **data: Any) -> tuple[Any, splits.TaskData]:
    local = DataConfig(source="local", root=str(folder), **data)
    return splits.read(tasks.of(TaskConfig.model_validate(task(kind, options))), local)


def refused(folder: Path, kind: str, options: dict[str, Any], **data: Any) -> str:
    with pytest.raises(InputError) as error:
        loaded(folder, kind, options, **data)
    return str(error.value).replace(str(folder), "…")


def test_every_kind_has_a_case() -> None:
    assert {case[0] for case in CASES.values()} == set(registry.names("ptuning.tasks.custom"))


@pytest.mark.parametrize("name", CASES)
def test_a_kind_goes_from_files_to_an_answer(name: str, tmp_path: Path, make_run: Callable[..., RunConfig]) -> None:
    kind, options = write(tmp_path, name)
    head = {"name": "auto"}
    if kind == "generation":
        head = {"name": "generation", "template": "{source}", "separator": "[SEP]", "max_target_length": 8,
                "num_beams": 1, "length_penalty": 1.0, "loss": "sum"}  # fmt: skip
    backbone = "tiny_gpt2" if kind == "generation" else "tiny_bert"
    run = make_run(**own("mine", kind, options, tmp_path), head=head, runtime__save=True,
        backbone={"name": backbone, "source": "random", "id": backbone, "pooler": "none"}, train__epochs=1,
    )  # fmt: skip
    record = launch(run)
    found = tasks.of(run.single)
    assert record["status"] == "finished" and record["metric"] == found.metric
    assert record["data"]["train_examples"] == record["data"]["dev_examples"] == len(WORDS)
    assert weights.path(run).name.startswith("mine-")
    ((answer,),) = Answerer([weights.path(run)], run.runtime).answer([("here", {"task": "mine", **QUESTION})])
    assert answer.keys() & {"label", "labels", "score", "spans", "tags", "answer", "text"}
    if not found.labels and kind in ("classification", "multi_label", "token"):
        (saved,) = [weights.read_header(weights.path(run)).labels]
        assert saved == record["data"]["labels"] == sorted(saved) != []


def test_labels_are_given_or_those_of_the_data_with_numbers_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        "".join(f'{{"text": "t", "label": {one}}}\n' for one in (10, 9, -1, "true", '"b"'))
    )
    files = {"train": "a.jsonl", "dev": "a.jsonl"}
    found, data = loaded(tmp_path, "classification", {"files": files})
    assert found.labels == ("-1", "9", "10", "b", "true")
    assert [example.label for example in data.train] == [2, 1, 0, 4, 3]
    given, other = loaded(tmp_path, "classification", {"files": files, "labels": ["true", "b", "10", "9", "-1"]})
    assert given.labels == ("true", "b", "10", "9", "-1") and [one.label for one in other.train] == [2, 3, 4, 0, 1]


def test_columns_may_be_patterns_and_templates_know_them(tmp_path: Path) -> None:
    kind, options = write(tmp_path, "pair")
    found, data = loaded(tmp_path, kind, options)
    assert data.train[0].segments == ((f"{WORDS[0]}. more", WORDS[0][::-1]),)
    assert set(data.train[0].texts) >= set(found.template_fields) >= {"first", "second", "one", "two", "three"}


def test_a_quoted_cell_may_go_over_lines_and_places_are_where_rows_begin(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text;label\n"one\n""two"";";x\n\nthree;y\nfour;\n', encoding="utf-8-sig")
    options = {"files": dict.fromkeys(SPLITS, "a.csv"), "separator": ";"}
    assert refused(tmp_path, "classification", options).startswith("…/a.csv:6: the row has no label")
    (tmp_path / "a.csv").write_text('text;label\n"one\n""two"";";x\nthree;y\n')
    assert loaded(tmp_path, "classification", options)[1].train[0].segments == (('one\n"two";', None),)


def test_a_table_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('x\tsay "so\ny\tor no\n')
    options = {"files": dict.fromkeys(SPLITS, "a.tsv"), "header": False, "columns": {"first": 2, "label": 1}}
    assert [one.segments[0][0] for one in loaded(tmp_path, "classification", options)[1].dev] == ['say "so', "or no"]


def test_a_dev_set_is_drawn_where_that_is_asked_for(tmp_path: Path) -> None:
    kind, options = write(tmp_path, "classification")
    alone = {**options, "files": {"train": "train.csv"}, "dev_share": 0.25}
    data = loaded(tmp_path, kind, alone)[1]
    assert (len(data.train), len(data.dev)) == (9, 3) and not set(data.train) & set(data.dev)
    assert loaded(tmp_path, kind, alone)[1].fingerprint == data.fingerprint
    assert "give it train and either dev or dev_share" in refused(tmp_path, kind, {**options, "dev_share": 0.25})
    assert "has no dev file" in refused(tmp_path, kind, {"files": {"train": "train.csv"}})
    tests = loaded(tmp_path, kind, alone, files={"hard": "dev.csv"})[1].tests
    assert list(tests) == ["hard"]


BAD = {
    "a label": ("text,label\na,x\nb,y\n", {"labels": ["x", "z"]}, "a.csv:3: label 'y' is not one of"),
    "a column": ("text,y\na,x\n", {}, "a.csv: there is no column 'label', but 'text, y': correct task"),
    "a separator": ("text;label\na;x\n", {}, "set task.options.separator=';'"),
    "cells": ("text,label\na,b,x\n", {}, "a.csv:2: the row has 3 cells, not 2"),
    "a quotation mark": ('text,label\na,x\n"b,y\n', {}, "a.csv:3: the row that begins here is no row"),
    "a column twice": ("text,text\na,x\n", {}, "has the column 'text' twice"),
    "no text": ("text,label\n ,x\nb,y\n", {}, "a.csv:2: text is blank"),
    "one label": ("text,label\na,x\nb,x\n", {}, "have one label alone ('x')"),
    "texts for labels": (
        "text,label\n" + "".join(f"a,t{at}\n" for at in range(40)), {}, "have 40 labels in 80 rows",
    ),
    "a metric": ("text,label\na,x\nb,y\nc,z\n", {"metric": "f1"}, "is of two labels, and task.name=mine"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_in_a_file_is_refused_with_its_place_and_the_fix(name: str, tmp_path: Path) -> None:
    text, options, message = BAD[name]
    (tmp_path / "a.csv").write_text(text)
    files = {"train": "a.csv", "dev": "a.csv"}
    assert message in refused(tmp_path, "classification", {"files": files, **options})


def test_all_bad_rows_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,score\n" + "".join(f"t,{at}{'x' * (at > 3)}\n" for at in range(12)))
    told = refused(tmp_path, "regression", {"files": {"train": "a.csv", "dev": "a.csv"}}).splitlines()
    assert told[-1] == "16 rows are refused, of which these are the first 5." and len(told) == 6
    assert "a.csv:6: score='4x' is not a number" in told[0]
    (tmp_path / "a.jsonl").write_text('{"text": 1}\n{"text"\n{"text": "b"}\n[]\n')
    told = refused(tmp_path, "regression", {"files": {"train": "a.jsonl", "dev": "a.jsonl"}}).splitlines()
    assert [line.partition(": ")[0] for line in told] == ["…/a.jsonl:2", "…/a.jsonl:4", "2 rows are refused."]


def test_words_without_tags_and_ragged_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("the O\nshop B-X X\n\nit\n")
    told = refused(tmp_path, "token", {"files": {"train": "a.conll", "dev": "a.conll"}})
    assert "a.conll:2: the line has 3 columns, not 2" in told
    (tmp_path / "a.conll").write_text("the O\nshop I-X\n")
    assert "a.conll:2: tag 'I-X' continues no span" in refused(
        tmp_path, "token", {"files": dict.fromkeys(SPLITS, "a.conll")}
    )
    iob1 = loaded(tmp_path, "token", {"files": dict.fromkeys(SPLITS, "a.conll"), "scheme": "iob1"})
    assert iob1[0].labels == ("O", "B-X", "I-X") and iob1[1].train[0].labels == (0, 1)


def test_a_negative_number_is_a_number(tmp_path: Path) -> None:
    kind, options = write(tmp_path, "regression")
    assert [one.score for one in loaded(tmp_path, kind, options)[1].train][:4] == [-3.0, -2.5, -2.0, -1.5]


def test_the_hub_s_numbers_are_labels_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    stored = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features=features)
    asked: list[Any] = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *given, **named: asked.append((given, named)) or stored)
    found = tasks.of(TaskConfig.model_validate(task("classification", {"hub": "me/mine:small"})))
    labelled, data = splits.read(found, DataConfig(source="hub"))
    assert labelled.labels == ("no", "yes") and [one.label for one in data.train] == [1, 0, 1]
    assert [(given, named["split"]) for given, named in asked] == [
        (("me/mine", "small"), "train"), (("me/mine", "small"), "validation"),
    ]  # fmt: skip
    numbers = datasets.Dataset.from_dict({"text": ["a", "b"], "score": [-1.0, 2.0]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: numbers)
    rated = tasks.of(TaskConfig.model_validate(task("regression", {"hub": "me/mine"})))
    assert [one.score for one in splits.load(rated, DataConfig(source="hub")).dev] == [-1.0, 2.0]


def test_an_id_is_of_what_is_asked_not_of_where_it_stands(make_run: Callable[..., RunConfig], tmp_path: Path) -> None:
    kind, options = write(tmp_path, "classification")

    def id_of(**changed: Any) -> str:
        return run_id(make_run(**own("mine", kind, {**options, **changed}, ".")))

    same = [id_of(), id_of(files={"train": "x.csv", "dev": "y.csv"}), id_of(separator=";"), id_of(header=False)]
    assert len(set(same)) == 1
    others = [id_of(columns={"first": "other"}), id_of(metric="accuracy"), id_of(labels=["yes", "no"])]
    assert len({same[0], *others}) == 4
    moved = make_run(**own("other", kind, options, "."))
    assert run_id(moved) != same[0]


def test_a_prompt_is_not_asked_about_labels_that_it_has_not_learned(
    make_run: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """Those of the data, in which one has come since: each after it would be read as another."""
    kind, options = write(tmp_path, "classification")
    given = own("mine", kind, options | {"metric": "accuracy"}, tmp_path)
    run = make_run(**given, train__epochs=1, runtime__save=True)
    launch(run)
    with (tmp_path / "train.csv").open("a") as file:
        file.write("the shop,maybe\n")
    splits._load_cached.cache_clear()
    with pytest.raises(InputError, match=r"on the labels no, yes, and the data of .* have maybe, no, yes: give"):
        evaluation.evaluate(asked([run], rule="single"))


def test_a_record_of_other_data_stands_for_no_run(make_run: Callable[..., RunConfig], tmp_path: Path) -> None:
    kind, options = write(tmp_path, "classification")
    run = make_run(**own("mine", kind, options, tmp_path), train__epochs=1)
    launch(run)
    (tmp_path / "train.csv").write_text((tmp_path / "train.csv").read_text().replace("good", "fine"))
    splits._load_cached.cache_clear()
    with pytest.raises(InputError, match="was made from other data"):
        launch(run)


def test_what_a_task_without_data_is_asked_for_is_refused(make_run: Callable[..., RunConfig]) -> None:
    with pytest.raises(ValueError, match="comes without data: choose data=local"):
        make_run(data__source=None)
    with pytest.raises(InputError, match=r"task\.kind=sorting is unknown: choose one of choice, classification"):
        tasks.of(TaskConfig.model_validate(task("sorting", {})))
    with pytest.raises(
        InputError, match=r"task\.options\.columns\.text is not a key .* allowed here are first, label, sec"
    ):
        tasks.of(TaskConfig.model_validate(task("classification", {"columns": {"text": "x"}})))
    found = tasks.of(TaskConfig.model_validate(task("classification", {})))
    for source, message in (("miniature", "generates no data"), ("hub", "not on the hub"), ("package", "no package")):
        with pytest.raises(InputError, match=message):
            splits.load(found, DataConfig(source=source))


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_several_labels_agree_with_an_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gold, found = (rng.integers(2, size=(20, 4)) for _ in range(2))
    columns = [100 * f1_score(gold[:, at], found[:, at]) for at in range(4)]
    right = (gold & found).sum()
    assert label_f1(gold, found) == pytest.approx({
        "f1_macro": np.mean(columns), "f1_micro": 200 * right / (gold.sum() + found.sum()),
        "exact": 100 * np.mean([(a == b).all() for a, b in zip(gold, found, strict=True)]),
    })  # fmt: skip


def test_the_loss_of_several_labels_is_the_mean_of_each_one_s() -> None:
    logits, targets = torch.randn(5, 3), torch.randint(2, (5, 3)).float()
    head = MultiLabel.__new__(MultiLabel)
    wanted = -torch.where(targets == 1, logits.sigmoid().log(), (-logits).sigmoid().log()).mean()
    assert (MultiLabel.loss(head, logits, targets) / MultiLabel.weight(head, targets)).item() == pytest.approx(
        wanted.item()
    )
