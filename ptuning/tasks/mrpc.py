"""MRPC (Dolan and Brockett, 2005; GLUE section 3): do two sentences of news mean the same?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.examples import SEGMENTS
from ptuning.tasks.kinds.glue import PairTask, glue_files
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS


class MRPC(PairTask):
    name = "mrpc"
    labels = ("not_equivalent", "equivalent")
    texts: ClassVar = {"sentence1": "#1 String", "sentence2": "#2 String"}
    template_fields = (*SEGMENTS, *texts)
    label_column = "Quality"
    folder = "MRPC"
    files = glue_files("MRPC")
    origin = "microsoft.com/download, MSR Paraphrase Corpus, as gluebenchmark.com splits it"
    hub = ("nyu-mll/glue", "mrpc")

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """What one sold, the other bought. Swapping the two in the second sentence flips the answer."""
        while True:
            (seller, buyer), thing = rng.sample(PEOPLE, 2), rng.choice(THINGS)
            yield [
                {
                    "sentence1": f"{seller} sold the {thing} to {buyer} .",
                    "sentence2": f"{taker} bought the {thing} from {giver} .",
                    "label": label,
                }
                for label, taker, giver in ((1, buyer, seller), (0, seller, buyer))
            ]
