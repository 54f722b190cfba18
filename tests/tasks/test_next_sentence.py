"""Pairs of sentences out of documents: what stands together, apart, and in another one."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.formats import documents
from ptuning.tasks.next_sentence import drawn


def document(name: str, sentences: int) -> str:
    return "\n\n".join(f"{name} said number {number} to all ." for number in range(sentences))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "text").mkdir()
    for name in ("Ada", "Bela", "Cleo"):
        (tmp_path / f"text/{name}.txt").write_text(f"# {name}\n\n---\n\n{document(name, 100)}\n")
    return tmp_path


def test_documents_are_sentences_without_headings(tmp_path):
    (tmp_path / "a.md").write_text(
        '# Title: A\n\n-------\n"Where to?" he said. Mr. Holmes\nlooked at me, and smiled. Go on!\n\n'
        "All was well again.\n"
    )
    ((where, row),) = documents.read(tmp_path)
    assert where.endswith("a.md")
    assert row["sentences"] == ['"Where to?" he said.', "Mr. Holmes looked at me, and smiled.", "All was well again."]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"has no \.txt or \.md files"):
        documents.read(empty)


def test_each_label_is_what_it_says(root):
    parts = [(where, row["sentences"]) for where, row in documents.read(root / "text")]
    places = {sentence: (doc, at) for doc, (_, own) in enumerate(parts) for at, sentence in enumerate(own)}
    rows = [row for _, row in drawn(parts, 600, random.Random(1))]
    assert Counter(row["label"] for row in rows) == {"no": 200, "maybe": 200, "yes": 200}
    gaps = Counter()
    for row in rows:
        (doc, at), (other, second) = places[row["first"]], places[row["second"]]
        gap = abs(at - second)
        assert {"no": doc != other, "maybe": doc == other and gap > 1, "yes": doc == other and gap == 1}[row["label"]]
        gaps[second - at if row["label"] == "yes" else None] += 1
    assert min(gaps[1], gaps[-1]) > 60, "the next one, and the one before"


def test_dev_is_of_other_sentences_and_a_seed_draws_the_same(root):
    data = DataConfig(source="local", root=str(root))
    task = tasks.load("next_sentence", pairs=90)
    loaded = splits.load(task, data)
    assert (len(loaded.train), len(loaded.dev)) == (90, 4)
    said = {split: {text for example in loaded.examples(split) for text in example.segments[0]} for split in ("dev",)}
    learned = {text for example in loaded.train for text in example.segments[0]}
    assert not learned & said["dev"]
    again = splits.load(tasks.load("next_sentence", pairs=90), data)
    other = splits.load(tasks.load("next_sentence", pairs=90, pair_seed=2), data)
    assert loaded.fingerprint == again.fingerprint != other.fingerprint


def test_too_little_text_is_refused(root):
    for name in ("Ada", "Bela"):
        (root / f"text/{name}.txt").write_text(document(name, 30))
    with pytest.raises(InputError, match=r"has 1 documents that are long enough for dev: give two or more"):
        splits.load(tasks.load("next_sentence"), DataConfig(source="local", root=str(root)))
    with pytest.raises(InputError, match=r"task\.options\.pairs=3 is refused: draw 20 or more"):
        tasks.load("next_sentence", pairs=3)
