"""Each miniature is balanced, the same on every machine, and out of reach of a bag of words."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.data.splits import TaskData
from ptuning.tasks.kinds.examples import Example
from tests.conftest import GLUE, SUPERGLUE

NAMES = [*SUPERGLUE, *GLUE]
MIRRORED = [name for name in NAMES if name != "wic"]  # each row's bag comes with every label
VECTORIZERS = {
    "counts": CountVectorizer,
    "presence": lambda: CountVectorizer(binary=True),
    "tf-idf": TfidfVectorizer,
}

FINGERPRINTS = {
    "boolq": "3d44bb9b6eb2",
    "cb": "af1a337bb3cf",
    "cola": "318059cbf280",
    "copa": "fc7b5f5543e4",
    "mnli": "1f7c15b7dd9b",
    "mrpc": "f9e5445188f5",
    "multirc": "d814e1e4ac88",
    "qnli": "0f5dc92bf85a",
    "qqp": "6847808819d2",
    "record": "b35da5bcd9fc",
    "rte": "87e66f9d2f49",
    "snli": "c392a08c345d",
    "sst2": "8b5c1713a271",
    "stsb": "e3f6d1d5d374",
    "wic": "ed4868ff4dac",
    "wsc": "c8702611e5b7",
}


@cache
def miniature(name: str) -> TaskData:
    return splits.load(tasks.load(name), DataConfig(source="miniature"))


def texts(examples: list[Example], sequence: int) -> list[str]:
    return [" ".join(filter(None, example.segments[sequence])) for example in examples]


def features(examples: list[Example], vectorizer: CountVectorizer) -> sparse.csr_matrix:
    """A bag an example; for multiple choice, what the second choice's bag has more than the first's."""
    bags = [vectorizer.transform(texts(examples, sequence)) for sequence in range(len(examples[0].segments))]
    return bags[0] if len(bags) == 1 else bags[1] - bags[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_split_sizes_are_stated_and_no_dev_row_is_seen_in_training(name: str) -> None:
    loaded = miniature(name)
    rows = {split: {example.segments for example in examples} for split, examples in vars(loaded).items()
            if split in ("train", "dev")}  # fmt: skip
    assert not rows["train"] & rows["dev"]
    size = 2001 if len(tasks.load(name).labels) == 3 else 2000
    per_row = {"multirc": 2, "record": 2}.get(name, 1)
    assert (len(loaded.train), len(loaded.dev)) == (size * per_row, 300 * per_row)


@pytest.mark.parametrize("name", NAMES)
def test_majority_is_at_chance(name: str) -> None:
    labels = tasks.load(name).labels
    for examples in (miniature(name).train, miniature(name).dev):
        counts = Counter(example.label for example in examples)
        assert set(counts) == set(range(len(labels)))
        assert len(set(counts.values())) == 1


@pytest.mark.parametrize("kind", VECTORIZERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_bag_of_words_classifier_is_at_chance(name: str, kind: str) -> None:
    train, dev = miniature(name).train, miniature(name).dev
    vectorizer = VECTORIZERS[kind]()
    vectorizer.fit([text for sequence in range(len(train[0].segments)) for text in texts(train, sequence)])
    labels = [example.label for example in train]
    classifier = LogisticRegression(max_iter=200).fit(features(train, vectorizer), labels)
    right = classifier.predict(features(dev, vectorizer)) == [example.label for example in dev]
    assert np.mean(right) < 1 / len(tasks.load(name).labels) + 0.05


@pytest.mark.parametrize("name", MIRRORED)
def test_each_bag_of_words_comes_with_every_label_equally_often(name: str) -> None:
    """So that no classifier of bags, linear or not, can be above chance."""
    seen: dict[tuple[object, ...], Counter[int]] = {}
    for example in miniature(name).dev:
        bags = tuple(
            tuple(sorted(re.findall(r"\w+", " ".join(filter(None, segments)).lower())))
            for segments in example.segments
        )
        seen.setdefault(bags, Counter())[example.label] += 1
    classes = len(tasks.load(name).labels)
    assert all(len(counts) == classes and len(set(counts.values())) == 1 for counts in seen.values())


def test_in_stsb_every_bag_comes_with_every_score() -> None:
    """So that no regression on bags follows the scores."""
    seen: dict[tuple[str, ...], list[float | None]] = {}
    for example in miniature("stsb").dev:
        one, two = example.segments[0]
        seen.setdefault(tuple(sorted(re.findall(r"\w+", f"{one} {two}"))), []).append(example.score)
    assert len(seen) > 50 and all(sorted(scores) == [0, 1, 4, 5] * (len(scores) // 4) for scores in seen.values())


def test_in_wic_every_context_word_stands_in_as_many_same_as_different_pairs() -> None:
    """Which leaves a linear classifier of bags nothing to learn."""
    counts = {0: Counter[str](), 1: Counter[str]()}
    for example in miniature("wic").dev:
        counts[example.label].update(" ".join(filter(None, example.segments[0])).split())
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_a_miniature_never_changes(name: str) -> None:
    """A change moves the numbers of runs: raise the task's `version` with it."""
    assert miniature(name).fingerprint.startswith(FINGERPRINTS[name])
