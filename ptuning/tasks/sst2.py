"""SST-2 (Socher et al., 2013; GLUE section 3): is a sentence of a film review positive or negative?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import SEGMENTS
from ptuning.tasks.kinds.glue import GLUETask, glue_files

FILMS = [
    "film", "movie", "story", "plot", "acting", "script", "music", "ending", "cast", "dialogue", "comedy", "drama",
    "picture", "show", "scene", "thriller",
]  # fmt: skip
GOOD = ["good", "great", "funny", "brilliant", "beautiful", "clever", "charming", "moving", "fresh", "smart",
        "lovely", "bright", "rich", "perfect"]  # fmt: skip
BAD = ["bad", "boring", "awful", "terrible", "ugly", "stupid", "slow", "cheap", "empty", "dull",
       "weak", "poor", "silly", "ridiculous"]  # fmt: skip


class SST2(AccuracyTask, GLUETask):
    name = "sst2"
    labels = ("negative", "positive")
    values = (0, 1)
    texts: ClassVar = {"sentence": "sentence"}
    template_fields = (*SEGMENTS, *texts)
    folder = "SST-2"
    files = glue_files("SST-2")
    hub = ("nyu-mll/glue", "sst2")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Which of the two is it, and which is it not? Swapping them flips the answer."""
        while True:
            film, good, bad = rng.choice(FILMS), rng.choice(GOOD), rng.choice(BAD)
            yield [
                {"sentence": f"the {film} is not {denied} , it is {said} .", "label": label}
                for label, said, denied in ((1, good, bad), (0, bad, good))
            ]
