"""CNN/DailyMail 3.0.0 (Hermann et al., 2015; See et al., 2017): the highlights of a news article."""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.summarization import Summarization


class CNNDailyMail(Summarization):
    name = "cnn_dailymail"
    folder = "cnn_dailymail"
    files: ClassVar = {
        "train": "cnn_dailymail/train.jsonl",
        "dev": "cnn_dailymail/validation.jsonl",
        "test": "cnn_dailymail/test.jsonl",
    }
    origin = "abisee/cnn-dailymail; an object of article and highlights a line, as the hub has them"
    hub = ("abisee/cnn_dailymail", "3.0.0")
    document, summary, lead = "article", "highlights", 3
