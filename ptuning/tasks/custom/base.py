"""What is declared of a task on data of one's own: its files or its data set on the hub, their columns, its labels and
its metric. The kinds say what columns there are, and make examples of them."""

from __future__ import annotations

import json
import random
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from ptuning.config import NOT_HASHED, Schema
from ptuning.errors import InputError, Refusals
from ptuning.formats import delimited, fields, json_files
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.base import A, E, Task
from ptuning.tasks.kinds.examples import SEGMENTS

ANSWERS = ("label", "labels", "score", "tags", "answer", "start", "target")  # columns that a question lacks
SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_FIELD = re.compile(r"\{([^{}]+)\}")


def _column(value: Any) -> Any:
    """Columns of a file without a header are numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Column = Annotated[str, BeforeValidator(_column)]


class CustomOptions(Schema):
    """`task.options` of every kind. A record says what the data were (their content decides), so what only says where
    and how they are read does not count."""

    files: Annotated[dict[str, str], NOT_HASHED] = Field(
        default={}, description="split: path below data.root; train, dev, and test sets by any names"
    )
    hub: str | None = Field(
        default=None,
        description="of data=hub: the data set, as name or name:configuration",
        pattern=r"^[^:\s]+(:\S+)?$",
    )
    hub_splits: dict[str, str] = Field(
        default={"train": "train", "dev": "validation"}, description="split: what the hub calls it"
    )
    separator: Annotated[str | None, NOT_HASHED] = Field(
        default=None, min_length=1, max_length=1, description="of a table; null: by the file's ending (.csv, .tsv)"
    )
    header: Annotated[bool, NOT_HASHED] = Field(
        default=True, description="whether a table's first row names its columns; else they are 1, 2, …"
    )
    dev_share: float | None = Field(
        default=None, gt=0, lt=1, description="share of train to draw as dev, where there is no dev set"
    )


class CustomTask(Task[E, A]):
    """A kind of tasks. A subclass lives in a file named after it in `ptuning/tasks/custom`, and is found by that
    name; its `Options` have `columns`, a schema whose keys are what a column can be for."""

    Options: ClassVar[type[CustomOptions]]
    options: Any  # one of its `Options`

    def __init__(self, name: str, options: CustomOptions) -> None:
        self.options = options
        self.name, self.files, self.hub_splits = name, options.files, options.hub_splits  # type: ignore[misc]
        if options.hub is not None:
            data_set, _, configuration = options.hub.partition(":")
            self.hub = (data_set, configuration or None)  # type: ignore[misc]
        self.template_fields = list(dict.fromkeys([*SEGMENTS, *self.columns]))  # type: ignore[misc]

    @property
    def columns(self) -> list[str]:
        """The columns that it reads, each once."""
        return _columns(self.options.columns.model_dump(exclude_none=True).values())

    def text_keys(self) -> Sequence[str]:
        """The columns of its texts."""
        given = self.options.columns.model_dump(exclude_none=True)
        return _columns(value for role, value in given.items() if role not in ANSWERS)

    def check_splits(self, given: Mapping[str, str]) -> None:
        """Raise InputError where there is no file for train, or none for dev and nothing to draw it from."""
        there = {**self.files, **given}
        for split in ("train", "dev"):
            if split not in there and (split == "train" or self.options.dev_share is None):
                drawn = "" if split == "train" else ", or have a part of train drawn (task.options.dev_share=0.1)"
                raise InputError(
                    f"task.name={self.name} has no {split} file: name it in task.options.files, or on the command "
                    f"line ('data.files={{train: train.csv, dev: dev.csv}}'){drawn}."
                )

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        """With the dev set drawn, where that is asked for: always the same rows. Raises InputError where there is no
        train, or no dev and nothing to draw it by, or both."""
        share = self.options.dev_share
        if (share is None) is not ("dev" in splits) or "train" not in splits:
            raise InputError(
                f"task.name={self.name} has {', '.join(splits)}, with task.options.dev_share={share}: give it train "
                "and either dev or dev_share, in task.options.files, hub_splits or data.files."
            )
        if share is None:
            return splits
        rows = splits["train"]
        chosen = set(random.Random("split dev").sample(range(len(rows)), max(1, round(share * len(rows)))))
        train, dev = ([one for at, one in enumerate(rows) if (at in chosen) is inside] for inside in (False, True))
        return {**splits, "train": train, "dev": dev}

    def read(self, path: Path) -> Rows:
        """Of a table (.csv, .tsv), JSON lines (.jsonl), or a JSON list (.json): the columns that are used. Raises
        InputError, of rows all those that are malformed."""
        ending = path.suffix.lower()
        if ending in SEPARATORS or self.options.separator is not None:
            separator = self.options.separator or SEPARATORS[ending]
            rows = delimited.table(path, separator, self.options.header)
            self._check_columns(rows, separator)
        elif ending in (".jsonl", ".ndjson", ".json"):
            rows = json_files.json_list(path) if ending == ".json" else json_files.json_lines(path)
        else:
            raise InputError(
                f"{path} has an ending that says nothing of what it is: call it .csv, .tsv, .jsonl or .json, or set "
                "task.options.separator for a table."
            )
        return [(where, self._used(row)) for where, row in rows]

    def _check_columns(self, rows: Rows, separator: str) -> None:
        """Raises InputError for a table that lacks a column."""
        if not rows:
            return
        where, row = rows[0]
        for column in self.columns:
            if column not in row:
                other = next((one for one in ";,\t|" if one != separator and any(one in name for name in row)), None)
                fix = f"set task.options.separator={other!r}" if other else f"correct {self._key(column)}, or the file"
                raise InputError(
                    f"{where.rpartition(':')[0]}: there is no column {column!r}, but {fields.short(', '.join(row))}: "
                    f"{fix}."
                )

    def _key(self, column: str) -> str:
        """The option that names a column."""
        given = self.options.columns.model_dump(exclude_none=True)
        role = next(role for role, value in given.items() if column in str(value))
        return f"task.options.columns.{role}"

    def _used(self, row: Row) -> Row:
        return {column: row[column] for column in self.columns if column in row}

    def hub_rows(self, loaded: Any) -> list[Row]:
        """With the names of labels that the hub numbers, None for its mark of none; what is used of them."""
        named = {column: names for column, one in (loaded.features or {}).items() if (names := _names(one))}
        return [
            self._used({column: _named(value, named.get(column)) for column, value in row.items()}) for row in loaded
        ]

    def is_unlabelled(self, row: Row) -> bool:
        """What a label is, and whether -1 is one, is a kind's matter."""
        return False

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return iter(rows)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        return Task.miniature(self, rng)

    def cell(self, row: Row, column: str, where: str) -> Any:
        """Raises InputError where the row has no such column."""
        if column not in row:
            raise InputError(
                f"{where}: there is no {column!r} in the row: write it, or correct {self._key(column)}, if it is "
                "called otherwise."
            )
        return row[column]

    def text(self, row: Row, source: str, where: str) -> str:
        """The text of a column, or of a pattern with columns in braces: `{title}. {body}`. Raises InputError where a
        cell is no text."""
        if not _FIELD.search(source):
            return self._text_cell(row, source, where)
        return _FIELD.sub(lambda found: self._text_cell(row, found[1], where), source)

    def _text_cell(self, row: Row, column: str, where: str) -> str:
        value = self.cell(row, column, where)
        if not isinstance(value, str):
            raise InputError(f"{where}: {column}={fields.short(value)} is not a text: correct the row or remove it.")
        return value

    def segments(self, row: Row, where: str, columns: Any) -> tuple[str, str | None]:
        """The first and the second text, None where one is all. Raises InputError for a first one that is blank."""
        first = self.text(row, columns.first, where)
        if not first.strip():
            raise InputError(f"{where}: {columns.first} is blank: write a text, or remove the row.")
        return first, None if columns.second is None else self.text(row, columns.second, where)

    def named_texts(self, row: Row) -> dict[str, str]:
        """The texts of a row by their columns, for templates."""
        return {column: value for column, value in row.items() if isinstance(value, str)}

    @abstractmethod
    def examples(self, row: Row, where: str) -> list[E]:
        """The example that a row of a file, or of the hub, is."""


class TextColumns(Schema):
    """Of one text, or of two."""

    first: Column = Field(default="text", description="the text: a column, or a pattern such as '{title}. {body}'")
    second: Column | None = Field(default=None, description="the second of a pair of texts; null: there is one text")


class LabelledTask(CustomTask[E, A]):
    """A kind whose labels are given (`task.options.labels`), or those of the data, in order."""

    def __init__(self, name: str, options: CustomOptions) -> None:
        super().__init__(name, options)
        given = self.options.labels or ()
        if len(set(given)) < len(given):
            raise InputError(f"task.options.labels of task.name={name} has a label twice: name each once.")
        self.labels = tuple(given)

    @abstractmethod
    def row_labels(self, row: Row, where: str) -> list[str]:
        """The labels in a row, none where it has none. Raises InputError for a malformed one."""

    def found_labels(self, splits: Mapping[str, Rows]) -> tuple[str, ...]:
        """Those of all rows, numbers by their value and before others; none where they are given."""
        if self.options.labels:
            return ()
        refusals = Refusals()
        found: set[str] = set()
        for rows in splits.values():
            for where, row in rows:
                with refusals.gather():
                    found |= set(self.row_labels(row, where))
        refusals.raise_any()
        self.check_labels(sorted(found), sum(map(len, splits.values())))
        return tuple(sorted(found, key=_order))

    def check_labels(self, found: Sequence[str], rows: int) -> None:
        """Raise InputError where what was found in so many `rows` cannot be labels."""
        if len(found) < 2:
            said = f"one label alone ({found[0]!r})" if found else "no labels"
            raise InputError(
                f"the data of task.name={self.name} have {said}: give rows with others, or correct columns."
            )
        if len(found) >= max(20, rows / 2):
            raise InputError(
                f"the data of task.name={self.name} have {len(found)} labels in {rows} rows, such as "
                f"{fields.short(found[0])}: correct the column of labels in task.options.columns, or name them in "
                "task.options.labels."
            )

    def answers(self, splits: Mapping[str, Rows]) -> tuple[str, ...]:
        """The labels that are the data's."""
        return self.found_labels(splits)

    def index(self, label: str, where: str) -> int:
        """Raises InputError for what is none of the labels."""
        if label not in self.labels:
            shown = fields.short(", ".join(self.labels))
            raise InputError(
                f"{where}: label {fields.short(label)} is not one of {shown}: correct it, or task.options.labels."
            )
        return self.labels.index(label)


def label_text(value: Any, where: str) -> str | None:
    """A label as text: of a number or a truth value as JSON writes it; None for a cell that is empty. Raises
    InputError for anything else."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | int | float | np.integer):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, default=int)
    raise InputError(f"{where}: the label {fields.short(value)} is neither a text nor a number: correct the row.")


def _order(label: str) -> tuple[bool, float, str]:
    is_number = re.fullmatch(r"-?\d{1,15}", label) is not None
    return not is_number, float(label) if is_number else 0.0, label


def _columns(given: Iterable[Any]) -> list[str]:
    """The columns in what `columns` says, names, patterns and lists of them, each once."""
    named = [one for value in given for one in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(column for one in named for column in _FIELD.findall(one) or [one]))


def _names(feature: Any) -> list[str] | None:
    """What the numbers of a column of the hub stand for, or of the lists in it."""
    return getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)


def _named(value: Any, names: Sequence[str] | None) -> Any:
    if names is None or value is None:
        return value
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return None if value == -1 else names[value] if isinstance(value, int) else value
