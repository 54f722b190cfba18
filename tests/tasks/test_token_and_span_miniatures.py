"""The generated data of the token and span tasks: the same on every machine, and out of reach of easy answers.

An easy answer looks at one word, or at one place, or at a word and a place alone. Every number below is of dev, after
learning on the training rows; what is left over for a model is to see which word stands beside which.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from functools import cache

import numpy as np
import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.data.splits import TaskData
from ptuning.formats import spans
from ptuning.tasks.kinds.examples import Question, Sentence
from ptuning.tasks.kinds.qa import Candidates

NER = ["btc", "conll03", "conll04", "ontonotes", "wnut17"]
SRL = ["conll05", "conll12", "ewt"]
SQUAD = ["squad", "squadshifts"]
SQUAD_2 = ["squad_v2", "squad_v2_halves"]
EVERY = [*NER, *SRL, *SQUAD, *SQUAD_2]
ROOM = re.compile(r"in (the \w+)")

FINGERPRINTS = {
    "btc": "9711bde9c289",
    "conll03": "987c908bf4cc",
    "conll04": "dd3ad90c6880",
    "ontonotes": "7b226be5a81d",
    "wnut17": "c8060a10ec49",
    "conll05": "d4fd5f9f1309",
    "conll12": "b781b481cacc",
    "ewt": "27326e13ca16",
    "squad": "c0a5038064bf",
    "squadshifts": "758c44ec8cb8",
    "squad_v2": "5ee508447f4a",
    "squad_v2_halves": "390004e0108d",
}


@cache
def miniature(name: str) -> TaskData:
    return splits.load(tasks.load(name), DataConfig(source="miniature"))


@pytest.mark.parametrize("name", EVERY)
def test_a_miniature_never_changes(name: str) -> None:
    """A change moves the numbers of runs: raise the task's `version` with it."""
    again = splits.load(tasks.load(name), DataConfig(source="miniature"))
    assert again.fingerprint == miniature(name).fingerprint
    assert again.fingerprint.startswith(FINGERPRINTS[name])


@pytest.mark.parametrize("name", EVERY)
def test_the_split_sizes_are_stated_and_no_row_is_in_two_splits(name: str) -> None:
    loaded = miniature(name)
    splits = {"train": loaded.train, "dev": loaded.dev, **loaded.tests}
    assert set(splits) == set(tasks.load(name).files)
    train, other = (2004, 300) if name in NER else (4032, 624) if name in SRL else (2000, 300)
    other = 304 if name in SQUAD_2 else other
    assert {split: len(examples) for split, examples in splits.items()} == {
        split: train if split == "train" else other for split in splits
    }
    # Of a sentence with two predicates, or a passage with two questions, both parts are in one split.
    texts = [
        {one.words if isinstance(one, Sentence) else (one.context, one.question) for one in examples}
        for examples in splits.values()
    ]
    assert sum(map(len, texts)) == len(set().union(*texts))


# --- tags

Key = Callable[[Sentence, int], Hashable]


def by_key(name: str, key: Key) -> dict[str, float]:
    """The dev scores of each word's most frequent training label, given no more than `key` of it."""
    seen: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for example in miniature(name).train:
        for at, label in enumerate(example.labels):
            seen[key(example, at)][label] += 1

    def label(example: Sentence, at: int) -> int:
        known = seen.get(key(example, at))
        return known.most_common(1)[0][0] if known else 0

    dev = miniature(name).dev
    answers = [np.array([label(example, at) for at in range(len(example.words))]) for example in dev]
    return tasks.load(name).score(dev, answers)


def word(example: Sentence, at: int) -> Hashable:
    return example.words[at]


def place(example: Sentence, at: int) -> Hashable:
    return at


def place_from_the_end(example: Sentence, at: int) -> Hashable:
    return len(example.words) - at


def word_and_place(example: Sentence, at: int) -> Hashable:
    return example.words[at], at


def predicate_and_word(example: Sentence, at: int) -> Hashable:
    return example.about, example.words[at]


def distance(example: Sentence, at: int) -> int:
    return at - example.words.index(example.about or "")


def word_and_distance(example: Sentence, at: int) -> Hashable:
    return example.words[at], distance(example, at)


@pytest.mark.parametrize("key", [word, place, place_from_the_end, word_and_place])
@pytest.mark.parametrize("name", NER)
def test_a_word_or_its_place_does_not_tell_an_entity(name: str, key: Key) -> None:
    """A third is chance, for one who knows where names stand but not which of the three types they are of."""
    assert by_key(name, key)["f1"] < 100 / 3


@pytest.mark.parametrize("name", NER)
def test_each_name_and_each_place_is_of_every_type_equally_often(name: str) -> None:
    """So that even one who is told where the names stand is right in exactly a third, whatever the rule."""
    task, labels = tasks.load(name), tasks.load(name).labels
    dev = miniature(name).dev
    for family in (dev[at : at + 6] for at in range(0, len(dev), 6)):
        names: dict[Hashable, Counter[str]] = defaultdict(Counter)
        assert len({tuple(sorted(example.words)) for example in family}) == 1
        for example in family:
            found = spans.of_tags([labels[label] for label in example.labels])
            for order, (kind, first, last) in enumerate(found):
                names[example.words[first : last + 1]][kind] += 1
                names[order][kind] += 1
        assert all(list(kinds.values()) == [2] * len(task.cues) for kinds in names.values()) and len(names) == 6


@pytest.mark.parametrize("key", [word, place, predicate_and_word, word_and_place])
@pytest.mark.parametrize("name", SRL)
def test_a_word_or_its_place_does_not_tell_a_role(name: str, key: Key) -> None:
    """Without the predicates, which a matching word gives away. A quarter is chance for one who knows the names."""
    assert by_key(name, key)["f1_official"] < 25


@pytest.mark.parametrize("key", [distance, word_and_distance])
@pytest.mark.parametrize("name", SRL)
def test_the_distance_from_the_predicate_tells_a_role_s_place_and_not_which_it_is(name: str, key: Key) -> None:
    """An active and a passive verb have their names as far away: who is who is a guess of two."""
    assert 45 < by_key(name, key)["f1_official"] < 55


@pytest.mark.parametrize("name", SRL)
def test_what_stands_beside_a_word_and_its_distance_from_the_predicate_tell_its_role(name: str) -> None:
    """So that there is something to learn, and nothing random in it."""

    def beside(example: Sentence, at: int) -> Hashable:
        return distance(example, at), example.words[max(0, at - 1) : at], example.words[at + 1 : at + 2]

    assert by_key(name, beside)["f1_official"] == 100


@pytest.mark.parametrize("name", SRL)
def test_each_name_has_every_part_of_every_predicate_equally_often(name: str) -> None:
    labels, dev = tasks.load(name).labels, miniature(name).dev
    for family in (dev[at : at + 48] for at in range(0, len(dev), 48)):  # 24 sentences of two predicates
        parts: dict[Hashable, Counter[str]] = defaultdict(Counter)
        assert len({tuple(sorted(example.words)) for example in family}) == 1
        for example in family:
            for at, label in enumerate(example.labels):
                if at in (0, 4, 6, 10):
                    parts[example.about, example.words[at]][labels[label]] += 1
                    parts[at][labels[label]] += 1
        assert len(parts) == 4 * 2 + 4
        for counts in parts.values():
            agent, patient = (counts[f"B-{tasks.load(name).agent}"], counts[f"B-{tasks.load(name).patient}"])
            assert agent == patient and counts["O"] == agent + patient == counts.total() / 2


# --- answers


def exact(name: str, answer: Callable[[Question], str]) -> float:
    """The dev exact match of a rule that gives a part of the passage, or nothing."""
    dev, found = miniature(name).dev, []
    for question in dev:
        begin = question.context.index(answer(question))
        spans_ = ((begin, begin + len(answer(question)), 0.0),)
        found.append(Candidates(spans_, 1.0 if not answer(question) else -1.0))
    return tasks.load(name).score(dev, found)["em"]


def first_room(question: Question) -> str:
    return ROOM.findall(question.context)[0]


def last_room(question: Question) -> str:
    return ROOM.findall(question.context)[-1]


def nothing(question: Question) -> str:
    return ""


@pytest.mark.parametrize("name", SQUAD)
def test_the_first_or_the_last_room_is_right_half_of_the_time(name: str) -> None:
    assert exact(name, first_room) == exact(name, last_room) == 50


@pytest.mark.parametrize("name", SQUAD_2)
def test_no_answer_is_right_half_of_the_time_and_the_first_or_the_last_room_a_quarter(name: str) -> None:
    assert exact(name, nothing) == 50
    assert exact(name, first_room) == exact(name, last_room) == 25


@pytest.mark.parametrize("name", [*SQUAD, *SQUAD_2])
def test_the_most_frequent_room_is_seldom_right(name: str) -> None:
    """Of those that the passage holds: the one that answers most often in training."""
    common = Counter(text for example in miniature(name).train for text, _ in example.answers[:1])

    def frequent(question: Question) -> str:
        return max(ROOM.findall(question.context), key=common.__getitem__)

    assert exact(name, frequent) == (50 if name in SQUAD else 25)


@pytest.mark.parametrize("name", SQUAD_2)
def test_whether_the_first_or_the_last_thing_is_asked_for_does_not_tell_whether_there_is_an_answer(name: str) -> None:
    counts: Counter[tuple[bool, bool]] = Counter()
    for question in miniature(name).dev:
        thing = question.question.removeprefix("Where is ").removesuffix("?")
        counts[question.context.lower().startswith(thing), bool(question.answers)] += 1
    assert len(counts) == 4 and len(set(counts.values())) == 1
