"""GLUE (Wang et al., 2019, arXiv:1804.07461): one or two texts and a label, in its tab-separated files, or in JSON
files of one object an example (`text_a`, `text_b`, `label`), as parts of it are handed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ptuning.formats import fields, json_files, tab_separated
from ptuning.formats.rows import Row, Rows
from ptuning.metrics.classification import binary_f1
from ptuning.tasks.kinds.classification import AccuracyTask, ClassificationTask
from ptuning.tasks.kinds.examples import Example

ORIGIN = "gluebenchmark.com"


def glue_files(folder: str, ending: str = "tsv") -> dict[str, str]:
    """Where a data root has a task's labelled splits: split -> path."""
    return {split: f"glue/{folder}/{split}.{ending}" for split in ("train", "dev")}


def read(path: Path, texts: Mapping[str, str], label: tuple[str, str], columns: Sequence[str] | None = None) -> Rows:
    """Rows of texts, and of a label where the file has one. `texts` and `label`: a row's key, and the column of the
    tab-separated file that it stands in; `columns` are that file's where it has no header. Raises InputError."""
    label_key, label_column = label
    if path.suffix == ".json":
        found, label_column = json_files.json_entries(path), "label"
        texts = dict(zip(texts, ("text_a", "text_b"), strict=False))
    else:
        found = tab_separated.table(path, list(texts.values()), columns)
    return [
        (
            where,
            {key: fields.text(row, column, where) for key, column in texts.items()}
            | ({label_key: row[label_column]} if label_column in row else {}),
        )
        for where, row in found
    ]


class GLUETask(ClassificationTask):
    """A task of one or two texts and a label. `texts`: a row's keys, and the columns of the official file that they
    stand in; `label_column` that of the label, whose `values` are official rows', in the order of `labels`."""

    head = "classification"
    version = 1
    texts: ClassVar[Mapping[str, str]]
    label_column: ClassVar[str] = "label"
    values: ClassVar[Sequence[str | int]]
    columns: ClassVar[Sequence[str] | None] = None  # of official files that have no header
    origin = ORIGIN

    def read(self, path: Path) -> Rows:
        rows = read(path, self.texts, ("label", self.label_column), self.columns)
        return [(where, {**row, **self._label(row)}) for where, row in rows]

    def _label(self, row: Row) -> dict[str, Any]:
        """The label as official rows have it, of its text in a file; another text stays, and is refused by its
        place."""
        if "label" not in row:
            return {}
        known = {str(value): value for value in self.values}
        return {"label": known.get(row["label"], row["label"]) if isinstance(row["label"], str) else row["label"]}

    def examples(self, row: Row, where: str) -> list[Example]:
        named = {key: fields.text(row, key, where) for key in self.texts}
        texts = list(named.values())
        segments = texts[0], texts[1] if len(texts) > 1 else None
        return [Example((segments,), fields.label(row, self.values, where), fields=named)]

    def text_keys(self) -> Sequence[str]:
        return tuple(self.texts)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub stores labels as numbers, in the order of `labels`; -1 where there is none."""
        for row in rows:
            label = None if row["label"] == -1 else self.values[row["label"]]
            yield {**{key: row[key] for key in self.texts}, "label": label}


class PairTask(AccuracyTask, GLUETask):
    """Do two texts say, or ask, the same? Accuracy, and the F1 of those that do (MRPC, QQP)."""

    values = (0, 1)

    def score(self, examples: Sequence[Example], logits: np.ndarray) -> dict[str, float]:
        labels = [example.label for example in examples]
        return super().score(examples, logits) | {"f1": binary_f1(labels, logits.argmax(axis=-1))}
