"""SQuAD 1.1 (Rajpurkar et al., 2016): the answer to each question is a part of the passage."""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.qa import QA


class SQuAD(QA):
    name = "squad"
    folder = "squad"
    files: ClassVar = {"train": "squad/train-v1.1.json", "dev": "squad/dev-v1.1.json"}
    origin = "rajpurkar.github.io/SQuAD-explorer, CC BY-SA 4.0"
    hub = ("rajpurkar/squad", "plain_text")
