"""E2E NLG (Novikova et al., 2017; Dušek et al., 2020): a restaurant's slots told in a sentence or more.

The train and dev files that are about hold tokenised texts ("£ 30", "family - friendly"), in the representations too;
the test file, and the hub, do not. `natural` writes train and dev as people did, so that texts of one form are learned
and asked for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ptuning.errors import InputError
from ptuning.formats import comma_separated, fields
from ptuning.formats.rows import Row, Rows
from ptuning.metrics.captions import cider, rouge_l
from ptuning.metrics.overlap import bleu, nist
from ptuning.tasks.kinds.data_to_text import DataToText
from ptuning.tasks.kinds.examples import Request
from ptuning.tasks.kinds.miniature_words import SURNAMES

FOODS = ("English", "French", "Indian", "Chinese", "Italian", "Japanese")  # of the miniature
SLOTS = ("name", "eatType", "food", "priceRange", "customer rating", "area", "familyFriendly", "near")
_SLOT = re.compile(r"([^\[\],]+)\[([^\[\]]+)\]")
_RULES = (  # a text that was cut into tokens -> as people write it, one after another
    (re.compile(r"(?<=\w) ?(['’](?:s|t|re|ll|ve|d|m))\b"), r"\1"),  # it 's, isn 't
    (re.compile(r"(?:(?<= )|^)' ([^']+?) '(?= |$)"), r"'\1'"),  # called ' The Mill '
    (re.compile(r"£ (?=[\d-])"), "£"),
    (re.compile(r"(?<=[\w£]) ?- ?(?=[\w£])"), "-"),  # family - friendly, 20 - 25
    (re.compile(r" +(?=[.,:;?!])"), ""),
)


class E2E(DataToText):
    name = "e2e"
    folder = "e2e"
    files: ClassVar = {"train": "e2e/trainset.csv", "dev": "e2e/devset.csv", "test": "e2e/testset_w_refs.csv"}
    origin = "github.com/tuetschek/e2e-dataset, CC BY-SA 4.0"
    hub = ("tuetschek/e2e_nlg", "default")
    hub_revision = "refs/convert/parquet"
    hub_splits: ClassVar = {"train": "train", "dev": "validation", "test": "test"}

    def __init__(self, form: str = "natural") -> None:
        """`form` of train and dev: `natural`, or `file`, as they stand."""
        if form not in ("natural", "file"):
            raise InputError(f"task.options.form={form!r} is refused: choose natural or file.")
        self.form = form

    def read(self, path: Path) -> Rows:
        table = comma_separated.table(path, ("mr", "ref"))
        return [(where, {"mr": row["mr"], "references": [row["ref"]]}) for where, row in table]

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        """The references of the test file stay as they are, whatever the form of the others."""
        if self.form == "natural":
            splits = {split: splits[split] if split == "test" else _natural(splits[split]) for split in splits}
        return super().make_splits(splits)

    def source(self, row: Row, where: str) -> str:
        """ "name : The Mill | eatType : pub": slots in the order of the representation, divided as in
        Prefix-Tuning's released data."""
        mr = fields.text(row, "mr", where)
        mr = natural(mr) if self.form == "natural" else mr
        return " | ".join(f"{name} : {value}" for name, value in _slots(mr, where))

    def text_keys(self) -> Sequence[str]:
        return ("mr",)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return ({"mr": row["meaning_representation"], "references": [row["human_reference"]]} for row in rows)

    def score(self, examples: Sequence[Request], answers: list[str]) -> dict[str, float]:
        """As the challenge's scorer, METEOR left out; `bleu_natural` is BLEU where answers and references are brought
        to one form before."""
        golds = [example.references or () for example in examples]
        of_one_form = [natural(text) for text in answers], [[natural(text) for text in several] for several in golds]
        return {
            "bleu": bleu(answers, golds),
            "nist": nist(answers, golds),
            "rouge_l": rouge_l(answers, golds),
            "cider": cider(answers, golds),
            "bleu_natural": bleu(*of_one_form),
        }

    def told(self, source: str) -> str:
        """Each slot in the same words, in the same place."""
        slot = dict(part.split(" : ", 1) for part in source.split(" | "))
        friendly = {"yes": " family-friendly", "no": " non-family-friendly"}.get(slot.get("familyFriendly", ""), "")
        parts = [f"{slot.get('name', 'It')} is a{friendly} {slot.get('eatType', 'place')}"]
        phrases = {"food": "serving {} food", "area": "in the {}", "near": "near {}"}
        parts += [phrase.format(slot[name]) for name, phrase in phrases.items() if name in slot]
        names = {"priceRange": "price range", "customer rating": "customer rating"}
        more = [f"a {shown} of {slot[name]}" for name, shown in names.items() if name in slot]
        return " ".join(parts) + (f". It has {' and '.join(more)}." if more else ".")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """A place near another: which is which stands in the order of the slots alone, since a family has the same
        words both ways round."""
        while True:
            names, food = rng.sample(SURNAMES, 2), rng.choice(FOODS)
            yield [
                {
                    "mr": f"name[{one}], food[{food}], near[{other}]",
                    "references": [f"{one} serves {food} food near {other}."],
                }
                for one, other in (names, names[::-1])
            ]


def natural(text: str) -> str:
    """A text that was cut into tokens as people write it: contractions, quotation marks, prices, hyphens and what ends
    a clause stand without spaces. A dash between words becomes a hyphen as well. What is written so stays."""
    for found, written in _RULES:
        text = found.sub(written, text)
    return text


def _natural(rows: Rows) -> Rows:
    return [
        (where, {**row, "mr": natural(row["mr"]), "references": [natural(text) for text in row["references"]]})
        for where, row in rows
    ]


def _slots(mr: str, where: str) -> list[tuple[str, str]]:
    """Raises InputError for what is no "name[The Mill], eatType[pub]"."""
    found = [_SLOT.fullmatch(part.strip()) for part in re.split(r"(?<=\]),", mr)]
    for match in found:
        if match is None or match[1] not in SLOTS or not match[2].strip():
            raise InputError(
                f"{where}: the representation {fields.short(mr)} is not made of slots like name[The Mill], divided by "
                f"commas ({', '.join(SLOTS)}): correct the line or remove it."
            )
    names = [match[1] for match in found if match]
    if len(set(names)) < len(names):
        raise InputError(f"{where}: the representation {fields.short(mr)} has a slot twice: correct the line.")
    return [(match[1], match[2]) for match in found if match]
