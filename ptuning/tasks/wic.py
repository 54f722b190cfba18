"""WiC (Pilehvar and Camacho-Collados, 2019; SuperGLUE section 3): has the word one meaning in both sentences?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from ptuning.errors import InputError
from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS, Example
from ptuning.tasks.kinds.superglue import superglue_files

SENSES = {  # word -> what goes with its first sense, and with its second
    "bank": (
        "river water boat fish shore mud lake bridge",
        "money loan cash credit debt savings account tax",
    ),
    "bat": (
        "cave wing night owl fly animal bird rat",
        "ball game player baseball pitch team coach field",
    ),
    "mouse": (
        "cat cheese rat tail animal trap hole fur",
        "computer screen keyboard click desktop laptop cable printer",
    ),
    "spring": (
        "summer winter april flower season march autumn rain",
        "metal coil steel wire bounce mattress spiral tension",
    ),
    "plant": (
        "garden leaf seed flower tree soil root grass",
        "factory worker steel industry engine machine oil chemical",
    ),
    "star": (
        "sky moon planet night galaxy sun orbit telescope",
        "film actor movie celebrity hollywood fame singer stage",
    ),
}


class WiC(AccuracyTask):
    """`template` is the authors': 0, one sequence that ends in a question (RoBERTa); 1, two segments (BERT)."""

    name = "wic"
    version = 1
    head = "classification"
    labels = ("false", "true")
    template_fields = (*SEGMENTS, "word", "sentence1", "sentence2")
    folder = "WiC"
    files = superglue_files("WiC")
    hub = ("aps/super_glue", "wic")

    def __init__(self, template: int = 1) -> None:
        if template not in (0, 1):
            raise InputError(
                f"task.options.template={template!r} is refused: choose 0 (one sequence and a question, for RoBERTa)"
                " or 1 (two segments, for BERT)."
            )
        self.template = template

    def examples(self, row: Row, where: str) -> list[Example]:
        word, one, two = (fields.text(row, key, where) for key in ("word", "sentence1", "sentence2"))
        for number, sentence in enumerate((one, two), 1):
            _check_offsets(row, number, sentence, where)
        segments: tuple[str, str | None]
        if self.template == 0:
            segments = (f"{one} {two} Does {word} have the same meaning in both sentences?", None)
        else:
            segments = (f"{word}: {one}", f"{word}: {two}")
        named = {"word": word, "sentence1": one, "sentence2": two}
        return [Example((segments,), fields.label(row, (False, True), where), fields=named)]

    def quirks(self, row: Row) -> list[str]:
        """Most words stand in the sentences in another form."""
        return [
            "words that stand in the sentence in another form"
            for number in (1, 2)
            if f"start{number}" in row
            and row[f"sentence{number}"][row[f"start{number}"] : row[f"end{number}"]] != row["word"]
        ]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({**row, "label": bool(row["label"])} for row in rows)

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Two sentences for each sense, in all four pairings: every word stands in as many same as other pairs."""
        while True:
            word = rng.choice(list(SENSES))
            contexts = [rng.sample(context.split(), 4) for context in SENSES[word]]
            family: list[Row] = []
            for sense1, sense2 in product((0, 1), repeat=2):
                (one, two, _, _), (_, _, three, four) = contexts[sense1], contexts[sense2]
                sentences = (f"The {one}, the {two} and the {word}.", f"The {three}, the {four} and the {word}.")
                row: dict[str, Any] = {"word": word, "label": sense1 == sense2, "version": 1.1}
                for number, sentence in enumerate(sentences, 1):
                    start = sentence.rindex(word)
                    row |= {f"sentence{number}": sentence, f"start{number}": start, f"end{number}": start + len(word)}
                family.append(row)
            yield family


def _check_offsets(row: Row, number: int, sentence: str, where: str) -> None:
    """Raises InputError where the row says where the word stands, and that is not inside the sentence."""
    if not {f"start{number}", f"end{number}"} & row.keys():
        return
    start, end = (fields.integer(row, f"{key}{number}", where) for key in ("start", "end"))
    if not 0 <= start < end <= len(sentence):
        raise InputError(
            f"{where}: start{number}={start} and end{number}={end} are not inside sentence{number} of {len(sentence)} "
            "characters: correct the line or remove it."
        )
