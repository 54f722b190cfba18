"""LAMA's T-REx (Petroni et al., 2019, section 4.1; Elsahar et al., 2018): 41 relations of facts from Wikidata, one a
run. What is at hand are the facts whose objects are one token in the vocabularies of several language models."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_uppercase

from ptuning.errors import InputError
from ptuning.formats import lama
from ptuning.formats.rows import Row, Rows
from ptuning.tasks.kinds import facts
from ptuning.tasks.kinds.facts import FactTask

RELATIONS = (
    "P101", "P1001", "P103", "P106", "P108", "P127", "P1303", "P131", "P136", "P1376", "P138", "P140", "P1412",
    "P159", "P17", "P176", "P178", "P19", "P190", "P20", "P264", "P27", "P276", "P279", "P30", "P31", "P36", "P361",
    "P364", "P37", "P39", "P407", "P413", "P449", "P463", "P47", "P495", "P527", "P530", "P740", "P937",
)  # fmt: skip
WITHOUT_TEMPLATE = ("P31", "P527")


class LAMA(FactTask):
    name = "lama"
    version = 1
    folder = "lama"
    extra_tests = ()
    origin = "github.com/yanaiela/pararel, MIT; LAMA's facts, CC BY-NC 4.0"

    def __init__(self, relation: str = "P36", split_seed: int = 1) -> None:
        if relation not in RELATIONS:
            raise InputError(
                f"task.options.relation={relation} is none of LAMA's relations: choose one of {', '.join(RELATIONS)}."
            )
        self.relation, self.split_seed = relation, split_seed
        self.files = {"facts": f"lama/trex/{relation}.jsonl"}  # type: ignore[misc]
        self.has_hand_template = relation not in WITHOUT_TEMPLATE

    def read(self, path: Path) -> Rows:
        return lama.read(path)

    def make_splits(self, splits: dict[str, Rows]) -> dict[str, Rows]:
        """Its own 80/10/10: neither LAMA, which trains nothing, nor what is at hand has one."""
        return facts.split(splits["facts"], self.split_seed)

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        raise InputError("data.source=hub: lama is not on the hub in a known form: choose data=local.")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Roads between two places: the other direction has the same words and the other answer. Places are letters,
        which are one token in every vocabulary; each relation has its own roads."""
        drawn = random.Random(f"{self.relation} {rng.random()}")
        template = {} if not self.has_hand_template else {"template": f"{lama.SUBJECT} leads to {lama.OBJECT} ."}
        while True:
            road, one, two = drawn.randint(1, 99), *drawn.sample(ascii_uppercase, 2)
            yield [
                {"sub_label": f"Road {road} from {begin} to {end}", "obj_label": end, **template}
                for begin, end in ((one, two), (two, one))
            ]
