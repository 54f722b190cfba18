"""Tasks of other kinds as text-to-text: what is read, what is to be said, and what a text that was said answers
(`head=text_to_text`).

Questions and ratings, which stand beside their kinds, are as T5 writes them (t5/data/preprocessors.py), without the
task's name, as Prompt Tuning has it. No paper at hand writes tags: that form is this project's own.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic

import numpy as np

from ptuning.formats import spans
from ptuning.formats.spans import Span
from ptuning.tasks.base import E
from ptuning.tasks.kinds.examples import Request, Sentence

NO_SPANS = "none"
_NUMBERED = re.compile(r"(.*) ?\(([0-9]{1,4})\)")


class TextForm(ABC, Generic[E]):
    """Of a kind of task."""

    def request(self, example: E) -> Request:
        """An example as a text to answer with a text."""
        where = getattr(example, "where", "")
        return Request(self.source(example), (self.target(example),) if example.labelled else None, where=where)

    @abstractmethod
    def source(self, example: E) -> str:
        """What is read."""

    @abstractmethod
    def target(self, example: E) -> str:
        """What is to be said of an example that is labelled."""

    @abstractmethod
    def read(self, example: E, text: str) -> Any | None:
        """What a text that was said answers; None where it is not of the form of `target`."""

    @abstractmethod
    def unread(self, example: E, text: str) -> Any:
        """What a text that is not of that form answers: it is wrong."""

    def answers(self, examples: Sequence[E], texts: Sequence[str]) -> Any:
        """What the texts answer, as `task.score` takes it."""
        found = []
        for example, text in zip(examples, texts, strict=True):
            answer = self.read(example, text)
            found.append(self.unread(example, text) if answer is None else answer)
        return found


class TaggingAsText(TextForm[Sentence]):
    """The spans of a sentence in their order, each by its label and its words: `person: Anna Lee; place: Rome`. What
    is asked of the words (SRL's predicate) stands before them.

    Words are looked for behind those of the span before; where they stand there more than once before they mean it,
    it is said which (`place: Rome (2)`). Of a text of another form the spans count that can be read.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """`labels`: the tags, in BIO."""
        self.tags = {tag: index for index, tag in enumerate(labels)}
        names = "|".join(re.escape(tag[2:]) for tag in labels if tag.startswith("B-"))
        self.between = re.compile(f"; (?=(?:{names}): )")  # a word may be a semicolon

    def source(self, example: Sentence) -> str:
        asked = "" if example.about is None else f"predicate: {example.about} "
        return f"{asked}sentence: {' '.join(example.words)}"

    def target(self, example: Sentence) -> str:
        tags = list(self.tags)
        said, begin = [], 0
        for label, first, last in spans.of_tags([tags[at] for at in example.labels or ()]):
            words = example.words[first : last + 1]
            which = _places(example.words, words, begin).index(first) + 1
            shown = " ".join(words)
            is_told = which > 1 or _NUMBERED.fullmatch(shown)
            said.append(f"{label}: {shown}{f' ({which})' if is_told else ''}")
            begin = last + 1
        return "; ".join(said) or NO_SPANS

    def read(self, example: Sentence, text: str) -> np.ndarray | None:
        found, whole = self._spans(example, text)
        return self._labels(example, found) if whole else None

    def unread(self, example: Sentence, text: str) -> np.ndarray:
        """The labels of what of it can be read, `[words]`."""
        return self._labels(example, self._spans(example, text)[0])

    def _spans(self, example: Sentence, text: str) -> tuple[list[Span], bool]:
        """Those that can be read, and whether that is all that is said."""
        if text == NO_SPANS:
            return [], True
        found, begin, whole = list[Span](), 0, True
        for part in self.between.split(text):
            label, colon, words = part.partition(": ")
            place = _place(example.words, words, begin) if colon and f"B-{label}" in self.tags else None
            if place is None:
                whole = False
            else:
                found.append((label, *place))
                begin = place[1] + 1
        return found, whole

    def _labels(self, example: Sentence, found: Sequence[Span]) -> np.ndarray:
        """Indices of tags, `[W]`."""
        return np.array([self.tags[tag] for tag in spans.to_tags(found, len(example.words))])


def _place(words: Sequence[str], said: str, begin: int) -> tuple[int, int] | None:
    """The first and last place among `words`, from `begin` on, of those that are `said`; None where they do not stand
    there, or not so often."""
    numbered = _NUMBERED.fullmatch(said)
    readings = [(said, 1)] if numbered is None else [(numbered[1], int(numbered[2])), (said, 1)]
    for text, which in readings:
        wanted = text.split()
        if 1 <= which <= len(places := _places(words, wanted, begin)):
            return places[which - 1], places[which - 1] + len(wanted) - 1
    return None


def _places(words: Sequence[str], wanted: Sequence[str], begin: int) -> list[int]:
    """Where `wanted` stands among `words`, from `begin` on."""
    last = len(words) - len(wanted) + 1
    return [at for at in range(begin, last) if wanted and list(words[at : at + len(wanted)]) == list(wanted)]
