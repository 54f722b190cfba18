"""WSC (Levesque et al., 2012; SuperGLUE section 3): does the pronoun mean the person named?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.miniature_words import MEN, WOMEN
from ptuning.tasks.kinds.superglue import superglue_files

SPANS = ("span1_index", "span1_text", "span2_index", "span2_text")
INDICES = {"span1_index": "span1_text", "span2_index": "span2_text"}
DEEDS = ["called", "visited", "joined", "followed", "asked", "met"]
STATES = ["lonely", "bored", "curious", "worried", "late", "lost"]


class WSC(AccuracyTask):
    name = "wsc"
    version = 1
    head = "classification"
    labels = ("false", "true")
    template_fields = (*SEGMENTS, "text", "noun", "pronoun")
    folder = "WSC"
    files = superglue_files("WSC")
    hub = ("aps/super_glue", "wsc")

    def examples(self, row: Row, where: str) -> list[Example]:
        """(pronoun and text, name), as in the authors' scripts."""
        target, text = fields.record(row, "target", where), fields.text(row, "text", where)
        first = f"{fields.text(target, 'span2_text', where)}: {text}"
        for key in INDICES.keys() & target.keys():
            index, words = fields.integer(target, key, where), len(text.split())
            if not 0 <= index < words:
                raise InputError(f"{where}: {key}={index} is not one of the text's {words} words: correct the line.")
        noun, pronoun = fields.text(target, "span1_text", where), fields.text(target, "span2_text", where)
        named = {"text": text, "noun": noun, "pronoun": pronoun}
        return [Example(((first, noun),), fields.label(row, (False, True), where), fields=named)]

    def quirks(self, row: Row) -> list[str]:
        """The official files hold spans in another case, or without the punctuation of the text."""
        words, target = row["text"].split(), row["target"]
        spans = [(target[key], target[INDICES[key]].split()) for key in INDICES if key in target]
        return [
            "spans that differ from the words at their index"
            for index, span in spans
            if words[index : index + len(span)] != span
        ]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The hub has no `target`: its keys stand in the row itself."""
        for row in rows:
            target = {key: row[key] for key in SPANS}
            yield {"text": row["text"], "target": target, "idx": row["idx"], "label": bool(row["label"])}

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """The pronoun means the one who acts. Swapping the two people in the text flips the answer."""
        while True:
            names, pronoun = rng.choice(((WOMEN, "she"), (MEN, "he")))
            (named, other), deed, state = rng.sample(names, 2), rng.choice(DEEDS), rng.choice(STATES)
            family: list[Row] = []
            for actor, acted_on in ((named, other), (other, named)):
                text = f"{actor} {deed} {acted_on} because {pronoun} was {state}."
                spans = (text.split().index(named), named, 4, pronoun)
                target = dict(zip(SPANS, spans, strict=True))
                family.append({"text": text, "target": target, "label": actor == named})
            yield family
