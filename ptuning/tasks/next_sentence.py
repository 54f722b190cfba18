"""Next-sentence prediction in three ways, PPT's pre-training task for sentence pairs (Gu et al., 2022, section 3.2),
on plain text of one's own: does a sentence stand beside another (`yes`), elsewhere in its document (`maybe`), or in
another one (`no`)? A third each.

A prompt is pre-trained by a run on it, and another run starts from that (`init=prompt`, `sources`). Differs from PPT:
whatever text is given, theirs is OpenWebText; a document's last twentieth is for development.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import documents, fields
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import Example
from ptuning.tasks.kinds.miniature_words import PEOPLE

TWENTIETH = 20  # of a document's sentences one of so many, the last ones, are for development
FEWEST = 4  # sentences of a part of a document: two that stand together and one that does not


class NextSentence(AccuracyTask):
    name = "next_sentence"
    version = 1
    head = "classification"
    labels = ("no", "maybe", "yes")
    folder = "text"
    files: ClassVar = {"text": "text"}
    extra_tests = ()
    origin = "plain text of your own"

    def __init__(self, pairs: int = 30_000, pair_seed: int = 1) -> None:
        """`pairs` to learn from are drawn by `pair_seed`, and a twentieth of as many for development."""
        if pairs < TWENTIETH:
            raise InputError(f"task.options.pairs={pairs} is refused: draw {TWENTIETH} or more.")
        self.pairs, self.pair_seed = pairs, pair_seed

    def read(self, path: Path) -> Rows:
        return documents.read(path)

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        """Pairs out of the documents, those of dev out of the ends of them; of pairs that are there already (the
        miniature's) a fifth. Raises InputError where fewer than two documents are long enough."""
        if all("label" in row for _, row in splits["text"]):
            cut = len(splits["text"]) * 4 // 5 // len(self.labels) * len(self.labels)  # no family is cut
            return {"train": splits["text"][:cut], "dev": splits["text"][cut:]}
        parts: dict[str, list[tuple[str, list[str]]]] = {"train": [], "dev": []}
        for where, row in splits["text"]:
            whole = row["sentences"]
            cut = len(whole) - len(whole) // TWENTIETH
            for split, own in (("train", whole[:cut]), ("dev", whole[cut:])):
                if len(own) >= FEWEST:
                    parts[split].append((where, own))
        for split, found in parts.items():
            if len(found) < 2:
                raise InputError(
                    f"task.name={self.name} has {len(found)} documents that are long enough for {split}: give two or "
                    f"more, of {FEWEST * TWENTIETH} sentences or more each."
                )
        return {
            split: list(drawn(found, self.pairs if split == "train" else self.pairs // TWENTIETH,
                              random.Random(f"{self.pair_seed}/{split}")))
            for split, found in parts.items()
        }  # fmt: skip

    def examples(self, row: Row, where: str) -> list[Example]:
        first, second = fields.text(row, "first", where), fields.text(row, "second", where)
        return [Example(((first, second),), fields.label(row, self.labels, where))]

    def text_keys(self) -> Sequence[str]:
        return "first", "second"

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        raise InputError("data.source=hub: next_sentence is asked of your own text: choose data=local.")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Three people in a row, who are then named as they stood, the other way around, or moved on by one."""
        while True:
            one, two, three = rng.sample(PEOPLE, 3)
            orders = ((three, two, one), (two, three, one), (one, two, three))
            yield [
                {
                    "first": f"{one} stands before {two} and {three} .",
                    "second": f"There are {a} , {b} and {c} .",
                    "label": label,
                }
                for label, (a, b, c) in zip(self.labels, orders, strict=True)
            ]


def drawn(parts: Sequence[tuple[str, list[str]]], count: int, rng: random.Random) -> Iterator[tuple[str, Row]]:
    """`count` pairs out of the sentences of documents, each label in its turn, longer documents more often."""
    weights = [len(sentences) for _, sentences in parts]
    for number in range(count):
        label = NextSentence.labels[number % 3]
        (which,) = rng.choices(range(len(parts)), weights)
        where, own = parts[which]
        at = rng.randrange(len(own))
        if label == "yes":
            second = own[at + (rng.choice((-1, 1)) if 0 < at < len(own) - 1 else 1 if at == 0 else -1)]
        elif label == "maybe":
            second = own[rng.choice([other for other in range(len(own)) if abs(other - at) > 1])]
        else:
            other = (which + rng.randrange(1, len(parts))) % len(parts)
            second = rng.choice(parts[other][1])
        yield f"{where}, pair {number + 1}", {"first": own[at], "second": second, "label": label}
