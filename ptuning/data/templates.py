"""Templates: an example as one text with a place for the answer and places for virtual tokens.

    {premise}      a field of the example; `{premise:bare}` without final punctuation, `{premise:lower}` with a small
                   first letter, `{premise:whole}` never cut; several with commas
    <p>, <p:3>     one virtual token, or three
    <mask>         the answer's place
    [SEP]          the backbone's separator, inside a segment
     |             the border of two segments, between spaces: what the tokenizer puts between them, and token types

All else stands as it is written. Where all is longer than a sequence may be, fields are cut, the longest first, from
their ends: words of the template, virtual tokens and the answer's place never are. What stands between two of these
special places is tokenized as one text, with the space before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

from ptuning.errors import InputError

GRAMMAR = re.compile(
    r"\{(?P<field>[^{}]*)\}|<p(?::(?P<rows>\d+))?>|(?P<mask><mask>)|(?P<separator>\[SEP\])|(?P<border>(?<=\s)\|(?=\s))"
)
CHANGES = {
    "bare": lambda text: text.rstrip().rstrip(".,:;!?").rstrip(),
    "lower": lambda text: text[:1].lower() + text[1:],
    "whole": lambda text: text,
}
MOST_ROWS = 1000


@dataclass(frozen=True)
class Part:
    """Of a template: `text` as it is written, a `field` by its name with what changes it, or a special place, of which
    `rows` stand one after another."""

    kind: Literal["text", "field", "rows", "mask", "separator", "border"]
    text: str = ""
    changes: tuple[str, ...] = ()
    rows: int = 1

    @property
    def is_text(self) -> bool:
        return self.kind in ("text", "field")

    def written(self, fields: Mapping[str, str]) -> str:
        """What it says of an example."""
        if self.kind == "text":
            return self.text
        text = fields[self.text]
        for change in self.changes:
            text = CHANGES[change](text)
        return text


@dataclass(frozen=True)
class Template:
    """A template, parsed."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str, key: str) -> Template:
        """Raises InputError, naming the config `key`, for a text that is no template."""
        parts: list[Part] = []
        at = 0
        for found in GRAMMAR.finditer(text):
            parts += _literal(text[at : found.start()], key, text)
            parts.append(_part(found, key, text))
            at = found.end()
        template = cls((*parts, *_literal(text[at:], key, text)))
        for kind, name in (("mask", "<mask>"), ("border", "|")):
            if template.count(kind) > 1:
                raise InputError(f"{key}={text!r} has more than one {name}: leave one.")
        return template

    def count(self, kind: str) -> int:
        """How many parts of a kind it has."""
        return sum(part.kind == kind for part in self.parts)

    @property
    def rows(self) -> int:
        """The virtual tokens that it has places for."""
        return sum(part.rows for part in self.parts if part.kind == "rows")

    @property
    def fields(self) -> list[str]:
        """The names of the fields in it."""
        return [part.text for part in self.parts if part.kind == "field"]

    @cached_property
    def chunks(self) -> list[tuple[Part, ...]]:
        """Its parts: those of one text together, each special place for itself."""
        groups = groupby(enumerate(self.parts), lambda one: -1 if one[1].is_text else one[0])
        return [tuple(part for _, part in group) for _, group in groups]

    def before_mask(self) -> Template:
        """What stands before the answer, and its place. Raises ValueError where more than punctuation follows it."""
        at = next(i for i, part in enumerate(self.parts) if part.kind == "mask")
        rest = self.parts[at + 1 :]
        if any(part.kind != "text" or re.search(r"\w", part.text) for part in rest):
            raise ValueError("text follows <mask>")
        return Template(self.parts[: at + 1])

    def space_before_mask(self) -> bool:
        """Whether the answer is a word of its own, or goes on with what stands before it."""
        at = next((i for i, part in enumerate(self.parts) if part.kind == "mask"), 0)
        text = "".join(part.text if part.kind == "text" else "?" for part in self.parts[:at] if part.kind != "rows")
        return not text or text[-1].isspace()


def _literal(text: str, key: str, whole: str) -> list[Part]:
    if wrong := re.search(r"[{}]|<[a-z]+(?::[^>]*)?>", text):
        raise InputError(
            f"{key}={whole!r} has {wrong.group()!r}, which means nothing: write fields as {{premise}}, virtual tokens "
            "as <p> or <p:3>, and the answer's place as <mask>."
        )
    return [Part("text", text)] if text else []


def _part(found: re.Match[str], key: str, whole: str) -> Part:
    for kind in ("mask", "separator", "border"):
        if found[kind]:
            return Part(kind)
    if found["field"] is None:
        rows = int(found["rows"] or 1)
        if not 1 <= rows <= MOST_ROWS:
            raise InputError(f"{key}={whole!r} has {found.group()}: 1 to {MOST_ROWS} virtual tokens can stand there.")
        return Part("rows", rows=rows)
    name, _, changes = found["field"].partition(":")
    chosen = tuple(changes.split(",")) if changes else ()
    if not re.fullmatch(r"\w+", name) or not set(chosen) <= CHANGES.keys():
        raise InputError(
            f"{key}={whole!r} has {found.group()}, which is no field: write its name, and behind a colon any of "
            f"{', '.join(CHANGES)}."
        )
    return Part("field", name, chosen)
