"""SQuADShifts (Miller et al., 2020) as training data for SQuAD 1.1's development set: questions about New York Times
articles, written under SQuAD's instructions. A stand-in where SQuAD's own training file is not at hand; its numbers
are below those of training on SQuAD itself.
"""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.qa import QA


class SQuADShifts(QA):
    name = "squadshifts"
    folder = "squad"
    files: ClassVar = {"train": "squad/nyt_v1.0.json", "dev": "squad/dev-v1.1.json"}
    origin = "modestyachts.github.io/squadshifts-website, CC BY 4.0, and SQuAD 1.1's dev-v1.1.json"
    hub = None
