"""What tasks ask the backbone: one class of example for each kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEGMENTS = ("first", "second")  # what templates call the segments of an example that is one sequence


@dataclass(frozen=True)
class Example:
    """One text, or one text a choice, to answer with a label.

    `segments` holds the (first, second) texts of each sequence that the backbone reads: one pair for classification,
    one pair a choice for multiple choice. A second text of None makes a single-segment input. `label` is -1 where the
    row has none: such an example can be answered, not learned from. `group` is what the
    metric groups answers by (a MultiRC question, a ReCoRD query); `answer` is what a group's metric needs besides;
    `fields` are its texts by their names, for templates (`Task.template_fields`).
    """

    segments: tuple[tuple[str, str | None], ...]
    label: int
    group: tuple[int, ...] = ()
    answer: Any = None
    fields: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def texts(self) -> Mapping[str, str]:
        """Its texts by name: its `fields`, and of one sequence the `first` and the `second` segment."""
        if len(self.segments) > 1:
            return self.fields
        first, second = self.segments[0]
        return {**dict(zip(SEGMENTS, (first, second or ""), strict=True)), **self.fields}

    @property
    def labelled(self) -> bool:
        return self.label >= 0


@dataclass(frozen=True)
class Tagged:
    """One text, or two, of which each label holds or does not. `segments` is as in `Rating`; `labels`: 1 where a label
    holds and 0 elsewhere, in the order of the task's, None where the row has none."""

    segments: tuple[tuple[str, str | None], ...]
    labels: tuple[int, ...] | None

    @property
    def labelled(self) -> bool:
        return self.labels is not None


@dataclass(frozen=True)
class Rating:
    """One text, or two, to answer with a number. `segments` holds the one pair that the backbone reads, as in
    `Example`; `score` is None where the row has none."""

    segments: tuple[tuple[str, str | None], ...]
    score: float | None

    @property
    def labelled(self) -> bool:
        return self.score is not None


@dataclass(frozen=True)
class Fact:
    """A subject, to be asked for the object that stands in a relation to it. `object` is None where the row has none;
    `template` is the relation's hand template, None where it has none; `where` is the place of its row."""

    subject: str
    object: str | None
    template: str | None = None
    where: str = field(default="", compare=False, repr=False)

    @property
    def texts(self) -> Mapping[str, str]:
        """Its texts by name, for templates."""
        return {"subject": self.subject}

    @property
    def labelled(self) -> bool:
        return self.object is not None


@dataclass(frozen=True)
class Sentence:
    """Words to label one by one. `labels` are indices into the task's labels, one a word, None where the row has none;
    `about` is a second text that says what is asked of the words (SRL's predicate), `where` the place of its row."""

    words: tuple[str, ...]
    labels: tuple[int, ...] | None
    about: str | None = None
    where: str = field(default="", compare=False, repr=False)

    @property
    def labelled(self) -> bool:
        return self.labels is not None


@dataclass(frozen=True)
class Question:
    """A question whose answer is a part of `context`, or nothing. `answers` are (text, first character), the first one
    to learn from, none for a question without an answer, and None where the row does not say; `where` is the place of
    its row."""

    question: str
    context: str
    answers: tuple[tuple[str, int], ...] | None
    where: str = field(default="", compare=False, repr=False)

    @property
    def labelled(self) -> bool:
        return self.answers is not None


@dataclass(frozen=True)
class Request:
    """A text to answer with a text. `references` are the texts that would do, the first one to learn from, and None
    where the row has none; `category` is what results are told apart by (WebNLG's), `where` the place of its row."""

    source: str
    references: tuple[str, ...] | None
    category: str = ""
    where: str = field(default="", compare=False, repr=False)

    @property
    def texts(self) -> Mapping[str, str]:
        """Its texts by name, for templates."""
        return {"source": self.source}

    @property
    def labelled(self) -> bool:
        return self.references is not None
