"""SQuAD 2.0's development set in two halves with different articles, one to learn from and one to be judged by: a
stand-in where its training file is not at hand. Its numbers are far below those of the whole training set.
"""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.squad_v2 import SQuADv2


class SQuADv2Halves(SQuADv2):
    name = "squad_v2_halves"
    files: ClassVar = {"train": "squad/half-a-v2.0.json", "dev": "squad/half-b-v2.0.json"}
    origin = "github.com/chrischute/squad, CC BY-SA 4.0"
    hub = None
