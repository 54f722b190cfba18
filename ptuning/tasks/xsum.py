"""XSum (Narayan et al., 2018): what is a BBC article about, in one sentence?"""

from __future__ import annotations

from typing import ClassVar

from ptuning.tasks.kinds.summarization import Summarization


class XSum(Summarization):
    name = "xsum"
    folder = "xsum"
    files: ClassVar = {"train": "xsum/train.jsonl", "dev": "xsum/validation.jsonl", "test": "xsum/test.jsonl"}
    origin = "EdinburghNLP/XSum; an object of document and summary a line, as the hub has them"
    hub = ("EdinburghNLP/xsum", "default")
    hub_revision = "refs/convert/parquet"
    document, summary, lead = "document", "summary", 1
