"""A small data set of one's own of each kind, as files and options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = [f"the {thing} is {how}" for thing in ("shop", "film", "road") for how in ("good", "bad", "long", "old")]


def _csv(header: str, rows: list[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _conll(sentences: list[list[tuple[str, str]]]) -> str:
    return "\n\n".join("\n".join(f"{word} X {tag}" for word, tag in one) for one in sentences) + "\n"


def _squad() -> str:
    questions = [
        {"id": str(at), "question": f"what is {text.split()[-1]}", "answers": [{"text": text[:8], "answer_start": 0}]}
        for at, text in enumerate(WORDS)
    ]
    paragraphs = [{"context": text, "qas": [one]} for text, one in zip(WORDS, questions, strict=True)]
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})


SPLITS = ("train", "dev")
# kind, and what it is told of -> the file's ending, its text, and task.options
CASES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "classification": (
        "classification", "csv",
        _csv("text,label", [f'"{text}, they said",{"yes" if at % 3 else "no"}' for at, text in enumerate(WORDS)]),
        {"columns": {"first": "text"}, "metric": "f1"},
    ),
    "pair": (
        "classification", "tsv",
        _csv("one\ttwo\tthree\ty", [f"{text}\t{text[::-1]}\tmore\t{at % 3}" for at, text in enumerate(WORDS)]),
        {"columns": {"first": "{one}. {three}", "second": "two", "label": "y"}, "labels": ["2", "1", "0"]},
    ),
    "choice": (
        "choice", "jsonl",
        _lines([{"text": text, "a": "so", "b": "no", "label": "ab"[at % 2]} for at, text in enumerate(WORDS)]),
        {"columns": {"choices": ["a", "b"]}},
    ),
    "multi_label": (
        "multi_label", "csv",
        _csv("text,odd,third,never", [f"{text},{at % 2},{int(at % 3 == 0)},0" for at, text in enumerate(WORDS)]),
        {"columns": {"labels": ["odd", "third", "never"]}},
    ),
    "labels in a cell": (
        "multi_label", "jsonl",
        _lines([{"text": text, "labels": ["odd"] * (at % 2) + ["third"] * (at % 3)} for at, text in enumerate(WORDS)]),
        {"metric": "exact"},
    ),
    "regression": (
        "regression", "csv", _csv("text,score", [f"{text},{at / 2 - 3}" for at, text in enumerate(WORDS)]), {},
    ),
    "token": (
        "token", "conll",
        _conll([[("the", "O"), (text.split()[1], "B-THING"), ("x", "I-THING")] for text in WORDS]),
        {"stride": 8},
    ),
    "plain tags": (
        "token", "jsonl",
        _lines([{"tokens": text.split(), "pos": ["D", "N", "V", "A"]} for text in WORDS]),
        {"columns": {"words": "tokens", "tags": "pos"}, "scheme": "plain", "stride": 8},
    ),
    "span": ("span", "json", _squad(), {"stride": 8}),
    "answers in a table": (
        "span", "csv",
        _csv("question,context,answer", [f"what,{text},{text[4:8] * (at % 2)}" for at, text in enumerate(WORDS)]),
        {"unanswerable": True, "stride": 8},
    ),
    "generation": (
        "generation", "jsonl", _lines([{"source": text, "target": [text[4:], "two"]} for text in WORDS]), {},
    ),
}  # fmt: skip


def write(folder: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Write a case's files to a folder: its kind, and its options with them."""
    kind, ending, text, options = CASES[name]
    for split in SPLITS:
        (folder / f"{split}.{ending}").write_text(text if split == "train" else text.replace("they", "we"))
    return kind, {"files": {split: f"{split}.{ending}" for split in SPLITS}, **options}
