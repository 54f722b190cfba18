"""The SHA-256 fingerprints of small committed files in every official format, of rows as the hub has them, and of the
miniatures.

A fingerprint hashes the rows that a source gives, their keys included (`words`, `tags`, `predicates`, `question`,
`is_impossible`, ...). A record holds the fingerprint of its data and stands for a run only while the data have the
same one: to rename a row's key, to add or to drop one, or to write its value in another way, orphans every record of
that source, although no test of what is read would notice. So no expectation here ever moves, but a miniature's where
its task's `version` rises with it. Where an input is added:

    REMAKE_GUARDS=1 python -m pytest tests/guards/test_data_fingerprints.py

and look at the difference: no other line may change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.guards.support import (
    INPUTS,
    PACKAGE_MEMBERS,
    REMAKING,
    Expectations,
    Make,
    fingerprint_of,
    on_mixture,
    read,
    registry,
    tasks,
)

EXPECTATIONS = Expectations("data_fingerprints.json", {})
FEWGLUE = {"train": "fewglue/{folder}/train.jsonl", "dev": "fewglue/{folder}/dev32.jsonl"}
MINIATURE = "miniature"
ON_HUB = sorted(file.stem for file in (INPUTS / "hub").glob("*.json"))


LOCAL: dict[str, Any] = {"source": "local", "root": str(INPUTS)}


class Input(NamedTuple):
    """A task's data: from `inputs`, or the `source` that is named."""

    task: str
    options: dict[str, Any] = {}  # noqa: RUF012
    source: dict[str, Any] = LOCAL


FORMATS = {
    "json_lines": ("boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc"),
    "two_columns": ("wnut17", "btc"),
    "four_columns_iob1": ("conll03",),
    "json_list": ("conll04",),
    "conll2012": ("ontonotes", "conll12"),
    "words_and_props": ("conll05",),
    "english_web_treebank": ("ewt",),
    "squad_1": ("squad", "squadshifts"),
    "squad_2": ("squad_v2", "squad_v2_halves"),
    "tab_separated": ("cola", "mrpc", "sst2", "stsb"),
    "json_entries": ("mnli", "qnli", "qqp", "snli"),
    "facts": ("lama",),
    "documents": ("next_sentence",),
    "comma_separated": ("e2e",),
    "triples": ("dart", "webnlg"),
    "summaries": ("cnn_dailymail", "xsum"),
}
TSV = {split: f"glue/{{folder}}/{split}.tsv" for split in ("train", "dev")}
MNLI = {"train": TSV["train"]} | {
    split: f"glue/MNLI/dev_{name}.tsv" for split, name in (("dev", "matched"), ("mismatched", "mismatched"))
}
READ = {f"{format}-{task}": Input(task) for format, names in FORMATS.items() for task in names} | {
    "english_web_treebank-ewt-email_held_out": Input("ewt", {"held_out": "email"}),
    "english_web_treebank-ewt-reviews": Input("ewt", {"genre": "reviews"}),
    "comma_separated-e2e-as_in_the_file": Input("e2e", {"form": "file"}),
    "triples-dart-from_dev": Input("dart", {"train": "dev"}, LOCAL),
    "triples-webnlg-food_held_out": Input("webnlg", {"held_out": ["Food"]}),
    "json_lines-rte-two_rows": Input("rte", {}, LOCAL | {"train_rows": 2, "dev_rows": 1}),
    "two_columns-wnut17-one_test_row": Input("wnut17", {}, LOCAL | {"test_rows": 1}),
    **{f"tab_separated-{task}": Input(task, {}, LOCAL | {"files": TSV}) for task in ("qnli", "qqp", "snli")},
    "tab_separated-mnli": Input("mnli", {}, LOCAL | {"files": MNLI}),
    **{f"fewglue-{task}": Input(task, {}, LOCAL | {"files": FEWGLUE}) for task in ("copa", "multirc", "rte")},
    **{f"hub-{task}": Input(task, {}, {"source": "hub"}) for task in ON_HUB},
    "package-boolq": Input("boolq", {}, {"source": "package"}),
    **{f"{MINIATURE}-{task}": Input(task, {}, {"source": MINIATURE}) for task in registry.names("ptuning.tasks")},
    f"{MINIATURE}-rte-capped": Input("rte", {}, {"source": MINIATURE, "train_rows": 12, "dev_rows": 8}),
}
MIXTURE = "mixture-of_miniatures"
NAMES = [*READ, MIXTURE]


@pytest.fixture(autouse=True)
def package_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """BoolQ's package as the two files below `inputs`."""
    folder = INPUTS / "package/boolq"
    monkeypatch.setattr(PACKAGE_MEMBERS, lambda _, wanted: {path: folder / Path(path).name for path in wanted})


@pytest.fixture(autouse=True)
def hub_in_small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each data set as a file below `inputs`, named after the task that asks for it, which has the hub's rows."""

    def load_dataset(*_: Any, split: str, **__: Any) -> list[dict[str, Any]]:
        task = READ[request.node.callspec.params["name"]].task
        return json.loads((INPUTS / f"hub/{task}.json").read_text())[split]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)


@pytest.mark.parametrize("name", READ)
def test_data_have_the_fingerprint_that_they_had(name: str) -> None:
    asked = READ[name]
    found = read(asked.task, asked.options, **asked.source)
    assert found == EXPECTATIONS.of(name, found, NAMES)[0]


def test_a_mixture_has_the_fingerprint_that_it_had(make_run: Make) -> None:
    sets = {"a": "wnut17", "b": "conll05", "c": "rte"}
    found = fingerprint_of(on_mixture(make_run(), sets))
    assert found == EXPECTATIONS.of(MIXTURE, found, NAMES)[0]


def test_every_task_is_guarded_in_its_official_format_as_a_miniature_and_as_the_hub_has_it() -> None:
    read_from = {(asked.task, asked.source["source"]) for asked in READ.values()}
    assert read_from >= {(task, source) for task in registry.names("ptuning.tasks") for source in ("local", MINIATURE)}
    assert read_from >= {(task, "hub") for task in registry.names("ptuning.tasks") if tasks.load(task).hub is not None}


@pytest.mark.skipif(REMAKING, reason="the expectations are being remade")
def test_the_expectations_are_of_these_inputs() -> None:
    assert list(EXPECTATIONS.read()["entries"]) == NAMES
