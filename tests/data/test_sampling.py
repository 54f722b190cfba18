"""Few-shot sets: how rows are drawn, from every source, and what becomes of the official dev set."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from ptuning import tasks
from ptuning.config import DataConfig, RunConfig, parse
from ptuning.data import sampling, splits
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records.identity import identity, run_id
from ptuning.run import run
from tests.data.test_splits import HUB, RTE, local, put, root, shipped, stored

__all__ = ["root", "shipped"]
MINIATURE = DataConfig(source="miniature", train_rows=12, sample_seed=1, dev_from="train")

# --- drawing


@pytest.mark.parametrize("seed", range(1, 31))
@pytest.mark.parametrize("sets", [1, 2])
def test_sets_are_disjoint_of_the_size_asked_and_even_as_far_as_labels_go(sets: int, seed: int) -> None:
    rng = random.Random(seed)
    labels = rng.choices("abc", weights=(rng.random(), 1, 1), k=rng.randint(4, 60))
    count = rng.randint(1, len(labels) // sets)
    drawn = sampling.draw(labels, count, seed, sets)
    assert [len(found) for found in drawn] == [count] * sets and all(found == sorted(found) for found in drawn)
    assert len({place for found in drawn for place in found}) == count * sets
    counts, shares = Counter(labels), [Counter(labels[place] for place in found) for found in drawn]
    whole = {label: size // sets for label, size in counts.items()}
    if count <= sum(whole.values()):
        assert all(one == shares[0] for one in shares)
        most = max(shares[0].values())
        assert all(shares[0][label] in (most, most - 1, size) for label, size in whole.items())
    else:  # every label is used up but for single rows
        assert all(one[label] >= size for one in shares for label, size in whole.items())


def test_a_seed_always_draws_the_same_rows_and_more_of_them_where_more_are_asked() -> None:
    labels = ["a"] * 30 + ["b"] * 7
    few, more = (sampling.draw(labels, count, 5, 1)[0] for count in (8, 20))
    assert few == sampling.draw(labels, 8, 5, 1)[0] and set(few) < set(more)
    assert len({tuple(sampling.draw(labels, 8, seed, 1)[0]) for seed in range(1, 9)}) == 8


def test_without_a_label_a_row_all_are_equally_likely() -> None:
    drawn = [place for seed in range(400) for place in sampling.draw([None, "a", "a", "b"], 2, seed, 1)[0]]
    assert all(150 < count < 250 for count in Counter(drawn).values())


# --- of a task's data


def test_the_official_dev_set_is_a_test_set_where_dev_is_drawn_from_train(root: Path) -> None:
    whole = local(root)
    loaded = local(root, train_rows=6, sample_seed=1, dev_from="train", dev_rows=4)
    for found in (loaded.train, loaded.dev):
        assert len(found) == 6 and Counter(example.label for example in found) == {0: 3, 1: 3}
        assert all(example in whole.train for example in found)
    assert not set(loaded.train) & set(loaded.dev)
    assert loaded.tests == {"official_dev": local(root, dev_rows=4).dev}
    sets = {split: {"entailment": 3, "not_entailment": 3} for split in ("train", "dev")}
    assert loaded.drawn == {"seed": 1, "of": 20, **sets}
    assert loaded.fingerprint != local(root, train_rows=6, sample_seed=2, dev_from="train", dev_rows=4).fingerprint


def test_drawn_training_rows_alone_leave_the_dev_set_as_it_is(root: Path) -> None:
    loaded = local(root, train_rows=5, sample_seed=1)
    assert (len(loaded.train), loaded.dev, loaded.tests) == (5, local(root).dev, {})
    assert sorted(loaded.drawn["train"].values()) == [2, 3] and "dev" not in loaded.drawn
    assert local(root, train_rows=5).drawn == {}


@pytest.mark.parametrize("name", ["multirc", "record"])
def test_what_stands_together_is_drawn_together(name: str) -> None:
    loaded = splits.load(tasks.load(name), MINIATURE)
    assert loaded.drawn == {"seed": 1, "of": 2000, "train": 12, "dev": 12}
    for found in (loaded.train, loaded.dev):
        groups = Counter(example.group for example in found)
        assert len(groups) == 12 and set(groups.values()) == {2}


@pytest.mark.parametrize("name", ["copa", "wnut17", "squad", "ewt"])
def test_every_kind_of_task_is_drawn_from(name: str) -> None:
    loaded = splits.load(tasks.load(name), MINIATURE)
    assert loaded.drawn["train"] == ({"choice1": 6, "choice2": 6} if name == "copa" else 12)
    assert next(iter(loaded.tests)) == "official_dev" and len(loaded.tests["official_dev"]) >= 300


def test_it_is_drawn_from_every_source(
    root: Path, shipped: Callable[..., dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"train_rows": 1, "sample_seed": 3, "dev_from": "train"}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: stored("rte"))
    of_hub = splits.load(tasks.load("rte"), DataConfig(source="hub", **rows))
    of_package = splits.load(tasks.load("boolq"), DataConfig(source="package", **rows))
    for loaded, official in ((of_hub, len(HUB["rte"][2])), (of_package, 3), (local(root, **rows), 20)):
        assert (len(loaded.train), len(loaded.dev), loaded.drawn["of"]) == (1, 1, official)
        assert list(loaded.tests) == ["official_dev"]


def test_fewglue_is_judged_by_the_official_dev_set_and_can_be_drawn_from(root: Path) -> None:
    for split, rows in (("train", RTE[:8]), ("dev32", RTE[8:16])):
        put(root / f"fewglue/RTE/{split}.jsonl", rows)
    overrides = ["task=rte", "data=fewglue", f"data.root={root}", "backbone=tiny_bert"]
    _, loaded = splits.load_for_run(compose.read(compose.composed(overrides)))
    assert [len(found) for found in (loaded.train, loaded.dev)] == [8, 8]
    assert loaded.tests == {"official_dev": local(root).dev}
    drawn = ["data.train_rows=2", "data.sample_seed=1", "data.dev_from=train"]
    _, fewer = splits.load_for_run(compose.read(compose.composed([*overrides, *drawn])))
    assert set(fewer.train) | set(fewer.dev) < set(loaded.train)
    assert (len(fewer.train), len(fewer.dev), fewer.tests) == (2, 2, loaded.tests)


# --- refused


@pytest.mark.parametrize(
    "keys, said",
    [
        (
            {"sample_seed": 1},
            r"data is refused: data\.sample_seed=1 draws data\.train_rows, which is not set: say how ",
        ),
        (
            {"dev_from": "train", "train_rows": 4},
            r"data is refused: data\.dev_from=train draws rows, and nothing says ",
        ),
        ({"sample_seed": -1, "train_rows": 4}, r"data\.sample_seed=-1 is refused: input should be greater than or "),
        ({"dev_from": "dev"}, r"data\.dev_from='dev' is refused: input should be 'official' or 'train'"),
    ],
)
def test_what_nothing_can_be_drawn_by_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        parse(DataConfig, {"source": "miniature", **keys}, "data")


def test_more_rows_than_there_are_are_refused(root: Path) -> None:
    assert len(local(root, train_rows=20, sample_seed=1).train) == 20
    assert len(local(root, train_rows=10, sample_seed=1, dev_from="train").dev) == 10
    with pytest.raises(InputError, match=r"^data\.train_rows=21 cannot be drawn: rte has 20 train rows, ask for 20 "):
        local(root, train_rows=21, sample_seed=1)
    said = r"^data\.train_rows=11 and as many for dev \(data\.dev_from=train\) cannot be drawn: .* ask for 10 at most"
    with pytest.raises(InputError, match=said):
        local(root, train_rows=11, sample_seed=1, dev_from="train")


# --- a run


def test_a_run_is_selected_on_what_was_drawn_and_its_record_says_what_that_was(
    make_run: Callable[..., RunConfig],
) -> None:
    keys = {"data__sample_seed": 7, "data__dev_from": "train"}
    config = make_run(train__epochs=3, data__dev_rows=10, **keys)
    (record,) = run([config])
    sets = {split: {"entailment": 6, "not_entailment": 6} for split in ("train", "dev")}
    assert json.loads(json.dumps(record["data"]))["drawn"] == {"seed": 7, "of": 2000, **sets}
    assert record["data"]["dev_examples"] == 12 and record["data"]["test_examples"] == {"official_dev": 10}
    dev = [line["dev"]["accuracy"] for line in record["history"]]
    assert all(len(line["right"]) == 12 for line in record["history"])
    assert record["selection"]["epoch"] == 1 + dev.index(max(dev)) and record["score"] == max(dev)
    assert "accuracy" in record["history"][dev.index(max(dev))]["tests"]["official_dev"]
    assert "drawn" not in run([make_run(train__epochs=1)])[0]["data"]
    assert len({run_id(make_run()), run_id(config), run_id(make_run(data__sample_seed=7))}) == 3
    assert not {"sample_seed", "dev_from"} & identity(make_run())["data"].keys()
