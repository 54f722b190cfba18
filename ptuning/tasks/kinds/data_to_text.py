"""Data told in a sentence or more: a meaning representation, or triples, of which people have written several texts.

A row has `references`, its texts: one of them in the training set, where each is learned from. In the other sets rows
that say the same are one, with the texts of all, as the E2E challenge's scorer and Prefix-Tuning's code have it.
"""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row, Rows
from ptuning.metrics.overlap import bleu, chrf
from ptuning.tasks.kinds.examples import Request
from ptuning.tasks.kinds.generation import GenerationTask

BLANK = "references without a text, left out"


class DataToText(GenerationTask):
    """`told` is the baseline of every task: always the same sentence, with the example's own values in it."""

    metric = "bleu"

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        return {split: single(rows) if split == "train" else together(rows) for split, rows in splits.items()}

    def references(self, row: Row, where: str) -> tuple[str, ...] | None:
        if "references" not in row:
            return None
        given = tuple(text for text in fields.texts(row, "references", where) if text.strip())
        if not given:
            raise InputError(f"{where}: the text is blank: write what the data say, or remove the entry.")
        return given

    def quirks(self, row: Row) -> list[str]:
        return [BLANK for text in row.get("references", ()) if not text.strip()]

    def score(self, examples: Sequence[Request], answers: list[str]) -> dict[str, float]:
        golds = [example.references or () for example in examples]
        return {"bleu": bleu(answers, golds), "chrf": chrf(answers, golds)}

    def baselines(self, examples: Sequence[Request]) -> Mapping[str, list[str]]:
        """`template` is always the same sentence, with the data's values in it."""
        return {**super().baselines(examples), "template": [self.told(example.source) for example in examples]}

    @abstractmethod
    def told(self, source: str) -> str:
        """The template's sentence of what a model reads."""


def single(rows: Rows) -> Rows:
    """A row for each reference; blank ones stay with the first, to be counted."""
    found: Rows = []
    for where, row in rows:
        texts = row.get("references", ())
        told, blank = ([text for text in texts if bool(text.strip()) == is_told] for is_told in (True, False))
        parts = [[text] for text in told]
        if not parts:
            found.append((where, row))
            continue
        parts[0] += blank
        found += [(where, {**row, "references": part}) for part in parts]
    return found


def together(rows: Rows) -> Rows:
    """Rows that differ in nothing but their references, and number, are one, where the first of them stands."""
    found: dict[str, tuple[str, dict[str, object]]] = {}
    for where, row in rows:
        said = json.dumps(
            {key: value for key, value in row.items() if key not in ("references", "idx")}, sort_keys=True
        )
        first = found.setdefault(said, (where, {**row, "references": []}))[1]
        first["references"] += row.get("references", [])
    return [
        (where, row if row["references"] else {key: row[key] for key in row if key != "references"})
        for where, row in found.values()
    ]


def drawn(rows: Rows, one_in: int) -> tuple[Rows, Rows]:
    """One in so many of the rows, the same for every run, and the others; those that say the same stay together."""
    whole = together(rows)
    order = list(range(len(whole)))
    random.Random("split dev").shuffle(order)
    chosen = set(order[: max(1, len(whole) // one_in)])
    return [whole[at] for at in sorted(chosen)], [whole[at] for at in sorted(set(order) - chosen)]
