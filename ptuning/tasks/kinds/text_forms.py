"""Tasks of other kinds as text-to-text: what is read, what is to be said, and what a text that was said answers
(`head=text_to_text`).

Questions and ratings, which stand beside their kinds, are as T5 writes them (Raffel et al., 2020, appendix D), without
the task's name, as Prompt Tuning has it (Lester et al., 2021, section 3). No paper at hand writes tags: that form is
this project's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic

import numpy as np

from ptuning.formats import spans
from ptuning.formats.spans import Span
from ptuning.tasks.base import E
from ptuning.tasks.kinds.examples import Request, Sentence

NO_SPANS = "none"


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

    Words are looked for behind those of the span before. Of a text of another form the spans count that can be read.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """`labels`: the tags, in BIO."""
        self.tags = {tag: index for index, tag in enumerate(labels)}

    def source(self, example: Sentence) -> str:
        asked = "" if example.about is None else f"predicate: {example.about} "
        return f"{asked}sentence: {' '.join(example.words)}"

    def target(self, example: Sentence) -> str:
        tags = list(self.tags)
        found = spans.of_tags([tags[label] for label in example.labels or ()])
        return "; ".join(f"{label}: {' '.join(example.words[a : b + 1])}" for label, a, b in found) or NO_SPANS

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
        for part in text.split("; "):
            label, colon, words = part.partition(": ")
            place = _place(example.words, words.split(), begin) if colon and f"B-{label}" in self.tags else None
            if place is None:
                whole = False
            else:
                found.append((label, *place))
                begin = place[1] + 1
        return found, whole

    def _labels(self, example: Sentence, found: Sequence[Span]) -> np.ndarray:
        """Indices of tags, `[W]`."""
        return np.array([self.tags[tag] for tag in spans.to_tags(found, len(example.words))])


def _place(words: Sequence[str], wanted: Sequence[str], begin: int) -> tuple[int, int] | None:
    """The first and last place of `wanted` among `words`, from `begin` on; None where they do not stand there."""
    for at in range(begin, len(words) - len(wanted) + 1) if wanted else ():
        if list(words[at : at + len(wanted)]) == list(wanted):
            return at, at + len(wanted) - 1
    return None
