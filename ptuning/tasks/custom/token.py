"""A label for each word: spans in BIO tags (named entities, chunks), or a tag a word (parts of speech)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ptuning.config import Schema
from ptuning.errors import InputError
from ptuning.formats import columns as column_files
from ptuning.formats import fields, spans
from ptuning.formats.rows import Row, Rows
from ptuning.metrics.classification import accuracy
from ptuning.metrics.spans import span_f1
from ptuning.tasks.custom.base import Column, CustomOptions, LabelledTask
from ptuning.tasks.kinds.examples import Sentence
from ptuning.tasks.kinds.ner import bio, format_spans, is_blank
from ptuning.tasks.kinds.tags import only_tag

TABLES = (".jsonl", ".ndjson", ".json")  # of files that are no columns


class Columns(Schema):
    words: Column = Field(default="1", description="of columns the word's, counted from 1; in JSON the key of a list")
    tags: Column = Field(default="-1", description="the same of the tag; -1: the last column")


class TokenOptions(CustomOptions):
    columns: Columns = Columns()
    labels: list[str] | None = Field(
        default=None, description="types of spans, or tags, in order; null: those of the data"
    )
    scheme: Literal["bio", "iob1", "plain"] = Field(
        default="bio",
        description="how tags are read: B-x, I-x and O; iob1: B-x only between spans of a type; plain: a tag a word, "
        "scored by accuracy",
    )
    stride: int = Field(default=32, ge=1, description="words that windows of a sentence too long for one share")


class Token(LabelledTask[Sentence, list[np.ndarray]]):
    head = "token"
    Options = TokenOptions

    def __init__(self, name: str, options: TokenOptions) -> None:
        super().__init__(name, options)
        self.is_spans = options.scheme != "plain"
        self.answer_key = "spans" if self.is_spans else "tags"  # type: ignore[misc]
        self.metric = "f1" if self.is_spans else "accuracy"  # type: ignore[misc]
        self.stride = options.stride  # type: ignore[misc]
        self.labels = self._tags(self.labels)
        self.template_fields = ()  # type: ignore[misc]

    def _tags(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The labels of words, of types of spans or of tags."""
        return bio(labels) if labels and self.is_spans else tuple(labels)

    @property
    def columns(self) -> list[str]:
        """The keys of its rows: those of JSON, or what columns are called that are numbers."""
        given = self.options.columns.model_dump()
        return [role if value.lstrip("-").isdecimal() else value for role, value in given.items()]

    def text_keys(self) -> Sequence[str]:
        return self.columns[:1]

    def row(self, texts: Sequence[str]) -> Row:
        """Words are what stands between spaces."""
        return {key: text.split() for key, text in super().row(texts).items()}

    def read(self, path: Path) -> Rows:
        """Of columns, a word a line and a blank line between sentences, or as every kind does of JSON."""
        if path.suffix.lower() in TABLES:
            return super().read(path)
        places = self.options.columns
        if not all(value.lstrip("-").isdecimal() for value in (places.words, places.tags)):
            raise InputError(
                f"{path} is read as columns (CoNLL), and task.options.columns names {places.words}, {places.tags}: "
                "give their numbers, counted from 1, or a .jsonl file."
            )
        return column_files.tagged(path, int(places.words), int(places.tags))

    def row_labels(self, row: Row, where: str) -> list[str]:
        """The types of spans in a row, or its tags."""
        tags = self._row_tags(row, where)
        return [label for _, tag in zip(*tags, strict=True) for label in self._label(tag)] if tags else []

    def _label(self, tag: str) -> list[str]:
        if not self.is_spans:
            return [tag]
        return [tag[2:]] if tag[:2] in ("B-", "I-") and tag[2:] else []

    def _row_tags(self, row: Row, where: str) -> tuple[list[str], list[str]] | None:
        """Where each word stands, and its tag; None where the row has none."""
        words, tags = self.columns
        if row.get(tags) is None:
            return None
        found = fields.texts(row, tags, where, len(fields.texts(row, words, where)))
        return row.get("places") or [where] * len(found), found

    def with_labels(self, labels: Sequence[str]) -> Token:
        return super().with_labels(self._tags(labels))

    def check_labels(self, found: Sequence[str], rows: int) -> None:
        """One type of spans is enough, since words have none beside it."""
        super().check_labels(["O", *found] if self.is_spans else found, rows)

    def examples(self, row: Row, where: str) -> list[Sentence]:
        words = fields.texts(row, self.columns[0], where)
        tagged = self._row_tags(row, where)
        if tagged is None:
            return [Sentence(tuple(words), None, where=where)]
        places, tags = tagged
        if self.is_spans:
            types = list(dict.fromkeys(tag[2:] for tag in self.labels if tag != "O"))
            spans.check_bio(tags, places, types, self.options.scheme == "iob1")
            tags = spans.iob2(tags)
        labels = tuple(self.index(tag, place) for tag, place in zip(tags, places, strict=True))
        return [Sentence(tuple(words), labels, where=where)]

    def quirks(self, row: Row) -> list[str]:
        return ["blank words" for word in row[self.columns[0]] if is_blank(word)]

    def counts(self, examples: Sequence[Sentence]) -> dict[str, int]:
        if not self.is_spans:
            return {}
        return {"sentences": len(examples), "spans": sum(len(one) for one in self._spans(examples))}

    def _spans(self, examples: Sequence[Sentence]) -> list[list[spans.Span]]:
        return [spans.of_tags([self.labels[label] for label in example.labels or ()]) for example in examples]

    def score(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> dict[str, float]:
        """Precision, recall and F1 of whole spans, as conlleval counts them; of plain tags the share of words."""
        if self.is_spans:
            found = [spans.of_tags([self.labels[label] for label in answer]) for answer in answers]
            return span_f1(self._spans(examples), found)
        gold = [label for example in examples for label in example.labels or ()]
        return {"accuracy": accuracy(gold, np.concatenate(answers).astype(int))}

    def constant_answer(self, examples: Sequence[Sentence], answers: list[np.ndarray]) -> str | None:
        """The tag of all words."""
        return only_tag(self.labels, answers)

    def format_prediction(self, example: Sentence, answer: np.ndarray) -> dict[str, Any]:
        """The spans: type, words, and the places of the first and last of them; or a tag a word."""
        tags = [self.labels[label] for label in answer]
        return {"spans": format_spans(example.words, tags)} if self.is_spans else {"tags": tags}
