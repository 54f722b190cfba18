"""LAMA's files, and what is asked of them: facts, their split, and precision at 1."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.formats import lama
from ptuning.tasks.kinds.examples import Fact
from ptuning.tasks.kinds.facts import fact, precision_at_1, split
from ptuning.tasks.lama import RELATIONS, WITHOUT_TEMPLATE
from tests.data.test_splits import put

FACTS = [{"sub_label": f"Land {n}", "obj_label": f"town {n % 7}", "uuid": str(n)} for n in range(53)]
PATTERNS = [{"pattern": "The capital of [X] is [Y] ."}, {"pattern": "[Y], the capital of [X]."}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    put(tmp_path / "trex/P36.jsonl", FACTS)
    put(tmp_path / "templates/P36.jsonl", PATTERNS)
    return tmp_path / "trex/P36.jsonl"


def test_facts_are_read_with_the_first_pattern_of_their_relation(file: Path) -> None:
    rows = lama.read(file)
    where, row = rows[3]
    assert where == f"{file}:4"
    assert row == {"sub_label": "Land 3", "obj_label": "town 3", "template": "The capital of [X] is [Y] ."}
    assert fact(row, where) == Fact("Land 3", "town 3", "The capital of {subject} is <mask> .")
    assert not fact({"sub_label": "Land 3"}, where).labelled


def test_a_relation_may_have_no_hand_template(file: Path) -> None:
    (file.parent.parent / "templates/P36.jsonl").unlink()
    where, row = lama.read(file)[0]
    assert "template" not in row and fact(row, where).template is None


def test_what_is_wrong_is_said_with_its_place(file: Path) -> None:
    patterns = file.parent.parent / "templates/P36.jsonl"
    put(patterns, [{"pattern": "[X] is [X]"}])
    with pytest.raises(InputError, match=r"templates/P36\.jsonl:1: the pattern '\[X\] is \[X\]' has not one "):
        lama.read(file)
    put(patterns, PATTERNS)
    put(file, [FACTS[0], {"sub_label": "Land 1"}])
    with pytest.raises(InputError, match=r"trex/P36\.jsonl:2: the key 'obj_label' is missing"):
        lama.read(file)


def test_a_split_is_drawn_by_its_seed_and_holds_every_fact_once(file: Path) -> None:
    rows = lama.read(file)
    parts = split(rows, 1)
    assert {name: len(part) for name, part in parts.items()} == {"train": 43, "dev": 5, "test": 5}
    assert sorted(where for part in parts.values() for where, _ in part) == sorted(where for where, _ in rows)
    assert parts == split(rows, 1) != split(rows, 2)
    assert all(part == [one for one in rows if one in part] for part in parts.values())


def test_precision_at_1_is_the_share_of_facts_that_are_answered_rightly() -> None:
    facts = [Fact("a", "Rome"), Fact("b", "Bern"), Fact("c", "New York"), Fact("d", "Rome")]
    assert precision_at_1(facts, ["Rome", "Rome", "Rome", "Rome"]) == 50


def test_each_relation_has_a_miniature_of_its_own_whose_words_tell_nothing() -> None:
    found = {
        relation: next(tasks.load("lama", relation=relation).miniature(random.Random(1))) for relation in RELATIONS
    }
    assert len({family[0]["sub_label"] for family in found.values()}) > 38
    for family in found.values():
        one, other = (sorted(row["sub_label"].split()) for row in family)
        assert one == other and family[0]["obj_label"] != family[1]["obj_label"]
    assert {name for name, (row, _) in found.items() if "template" not in row} == set(WITHOUT_TEMPLATE)


def test_all_sets_are_of_one_relation_and_its_objects_are_what_can_be_answered(file: Path) -> None:
    (file.parent.parent / "lama").mkdir()
    for folder in ("trex", "templates"):
        (file.parent.parent / folder).rename(file.parent.parent / "lama" / folder)
    data = DataConfig(source="local", root=str(file.parent.parent), dev_rows=2)
    loaded = splits.load(tasks.load("lama", relation="P36"), data)
    assert (len(loaded.train), len(loaded.dev), len(loaded.tests["test"])) == (43, 2, 5)
    assert loaded.answers == tuple(f"town {n}" for n in range(7))
    assert splits.load(tasks.load("lama", relation="P36", split_seed=2), data).fingerprint != loaded.fingerprint


@pytest.mark.skipif("PTUNING_DATA" not in os.environ, reason="PTUNING_DATA names no folder with real data")
def test_the_real_files_have_41_relations_of_which_two_have_no_hand_template() -> None:
    read = {path.stem: lama.read(path) for path in Path(os.environ["PTUNING_DATA"], "lama/trex").glob("P*.jsonl")}
    assert (len(read), sum(map(len, read.values()))) == (41, 29411)
    assert set(read) == set(RELATIONS)
    assert {name for name, rows in read.items() if "template" not in rows[0][1]} == set(WITHOUT_TEMPLATE)
