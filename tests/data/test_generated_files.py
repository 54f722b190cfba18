"""Generated faults in small official files of every kind of task: a file is read in full, or refused in one sentence
that names it. `N=` makes more of them than the default."""

from __future__ import annotations

import copy
import gzip
import json
import os
import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ptuning import heads, registry, tasks
from ptuning.backbones import tiny
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.heads.base import HeadContext
from ptuning.seeds import Streams
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Example, Fact, Question, Rating, Request, Sentence
from tests.conftest import GLUE, OPTIONS, SUPERGLUE
from tests.data.test_splits import put
from tests.tasks import generation_files, glue_files
from tests.tasks.test_token_and_span_tasks import save

NAMES = [name for name in registry.names("ptuning.tasks") if name != "next_sentence"]  # which reads whatever is text
COUNT = -(-int(os.environ.get("N", "960")) // len(NAMES))
TOKENIZER = tiny.build("tiny_bert", 0.0, "sdpa")[1]
VALUES = [
    None, 0.5, -1, 0, 1, 10**30, 2**62, True, False, "", " ", "x" * 3000, "Pisa", "\u200b", "\ud83d", [], {}, [[]],
    [None], {"a": 1}, float("nan"), float("inf"),
]  # fmt: skip
CELLS = [
    "",
    "-",
    "*",
    "O",
    "(A0*",
    "*)",
    "(V*)",
    "B-PER",
    "I-PER",
    "B-",
    "(",
    "\u200b",
    "\u00a0",
    "\x00",
    "#",
    "x" * 3000,
]
CITIES = ["Rome", "Paris", "Bern", "Lima", "Oslo", "Cairo", "Quito", "Riga", "Minsk", "Seoul"] * 2
BYTES = [
    b"\x00",
    b"\xff",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\t",
    b" ",
    b'"',
    b"{",
    b"]",
    b",",
    b"\\ud83d",
    b"9" * 5000,
]


# --- official files, and what is done to them


def official(root: Path, name: str) -> Path:
    """Small official files of the task. The training file's path."""
    if name in (*GLUE, "stsb"):
        return glue_files.save(root, name)
    if name in generation_files.NAMES:
        return generation_files.save(root, name)
    if name not in (*SUPERGLUE, "lama"):
        return save(root, name)
    task = tasks.load(name)
    if name == "lama":  # one file of facts, and a hand template beside them
        facts = [{"sub_label": f"Land {number}", "obj_label": city} for number, city in enumerate(CITIES)]
        put(root / task.files["facts"], facts)
        put(root / "lama/templates/P36.jsonl", [{"pattern": "The capital of [X] is [Y] ."}])
        return root / task.files["facts"]
    for split, path in task.files.items():
        rows = next(task.miniature(random.Random(f"{name}/{split}")))
        put(root / path, [{**row, "idx": idx} for idx, row in enumerate(rows * 2)])
    return root / task.files["train"]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Whatever the format."""
    at, end = sorted(rng.choices(range(len(content) + 1), k=2))
    lines = content.splitlines(keepends=True)
    one, other = rng.choices(range(len(lines)), k=2)
    match rng.randrange(10):
        case 0:
            return content[:at] + bytes([content[at - 1] ^ 1 << rng.randrange(8)]) + content[at:]
        case 1:
            return content[:at]
        case 2:
            return content[:at] + content[min(end, at + 9) :]
        case 3:
            return content[:at] + rng.choice(BYTES) + content[at:]
        case 4:
            return b"".join(lines[:one] + lines[one + 1 :])
        case 5:
            return b"".join([*lines[: one + 1], *lines[one:]])
        case 6:
            lines[one], lines[other] = lines[other], lines[one]
            return b"".join(lines)
        case 7:
            return content.replace(b"\n", rng.choice((b"\r", b"\r\n", b"\n\n")))
        case 8:
            return rng.choice((gzip.compress(content, mtime=0), content.decode().encode("utf-16"), b"", content * 2))
        case _:
            return re.sub(
                rb"\d+", rng.choice((b"-1", b"99", b"0", b"1e9", b"9" * 30)), content, count=rng.choice((0, 1))
            )


def damaged_json(content: bytes, rng: random.Random) -> bytes:
    """One value anywhere in one object changed, lost, doubled or exchanged with another one."""
    lines = content.decode().splitlines()
    row = rng.randrange(len(lines))
    whole = json.loads(lines[row])
    node, key = rng.choice(list(_nodes(whole)))
    match rng.randrange(4):
        case 0:
            node[key] = rng.choice(VALUES)
        case 1:
            del node[key]
        case 2:
            other = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node[key], node[other] = node[other], node[key]
        case _ if isinstance(node, list):
            node.insert(key, copy.deepcopy(node[key]))
        case _:
            node["new"] = node[key]
    lines[row] = json.dumps(whole)
    return "\n".join(lines).encode()


def _nodes(node: Any) -> Any:
    """All (container, key) below `node`."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _nodes(node[key])


def damaged_columns(content: bytes, rng: random.Random) -> bytes:
    """One cell changed, lost, doubled or exchanged with another one."""
    lines = content.decode().split("\n")
    row = rng.choice([number for number, line in enumerate(lines) if line.strip()])
    cells = re.split(r"(\t| +)", lines[row])
    one, other = rng.choices(range(0, len(cells), 2), k=2)
    match rng.randrange(4):
        case 0:
            cells[one] = rng.choice(CELLS)
        case 1:
            del cells[one : one + 2]
        case 2:
            cells[one], cells[other] = cells[other], cells[one]
        case _:
            cells[one:one] = cells[one : one + 2]
    lines[row] = "".join(cells)
    return "\n".join(lines).encode()


# --- what is to be


def written_units(path: Path, task: AnyTask) -> int:
    """How many rows, words or questions the file holds, counted apart from the readers."""
    text = path.read_bytes().decode("utf-8-sig")
    lines = re.split(r"\r\n|\n" if "\n" in text else r"\r", text)
    if path.suffix == ".jsonl":
        return sum(bool(line.strip()) for line in lines)
    if path.suffix == ".json":
        whole = json.loads(text)
        if isinstance(whole, list):
            return len(whole)
        if all(isinstance(one, dict) for one in whole.values()):
            return len(whole)
        return sum(len(one["qas"]) for article in whole["data"] for one in article["paragraphs"])
    if path.suffix in (".csv", ".tsv"):
        return sum(bool(line.strip()) for line in lines) - (task.name != "cola")
    if path.suffix == ".xml":
        return len(re.findall(r"<entry\b", text))
    marks = ("-DOCSTART-", "#begin document", "#end document")
    return sum(
        bool(line.strip(" \t\v\f\r")) and not line.startswith(marks) and not re.fullmatch(r"# \S+ = .*", line)
        for line in lines
    )


def read_units(path: Path, task: AnyTask) -> int:
    rows = [row for _, row in task.read(path)]
    return (
        len(rows)
        if path.suffix in (".json", ".jsonl", ".tsv", ".csv", ".xml")
        else sum(len(row["words"]) for row in rows)
    )


def check_example(example: Any, task: AnyTask) -> None:
    assert example.labelled
    match example:
        case Example():
            assert 0 <= example.label < len(task.labels)
            assert all(isinstance(first, str) and isinstance(second, str | None) for first, second in example.segments)
        case Rating():
            assert 0 <= example.score <= 5 and all(isinstance(text, str) for text in example.segments[0])
        case Sentence():
            assert len(example.labels) == len(example.words) > 0 and set(example.labels) <= set(
                range(len(task.labels))
            )
            assert example.about is None or example.about in example.words
        case Request():
            assert example.source.strip() and all(text.strip() for text in example.references)
        case Fact():
            assert example.subject.strip() and example.object.strip() and example.template
        case Question():
            for text, start in example.answers:
                assert text.strip() and start >= 0 and example.context[start : start + len(text)] == text


def check_refusal(error: InputError, path: Path) -> None:
    said = str(error)
    lines = said.splitlines()  # of several rows one each, and how many they are
    assert len(lines) <= 6 and all(line.endswith(".") and len(line) < 1500 for line in lines), said[:2000]
    assert len(lines) == 1 or re.match(r"\d+ rows are refused", lines[-1]), said[:2000]
    said.encode()
    named = str(path.parent) in said or re.search(r"^data\.source=local: \w+ has no train examples", said)
    assert named or said.startswith("the text number "), said


def check(name: str, root: Path, path: Path) -> bool:
    """Whether the file is read; else it is refused. Raises where neither is done well."""
    task = tasks.load(name, **OPTIONS.get(name, {"stride": 16} if task_is_qa(name) else {}))
    try:
        loaded = splits.load(task, DataConfig(source="local", root=str(root)))
        backbone: Any = SimpleNamespace(
            whole_text_reads=lambda tokens, starts: (np.zeros((len(starts) - 1, 1), int), None)
        )
        config: Any = SimpleNamespace(single=SimpleNamespace(max_length=128))
        head = heads.load(task.head)
        if not head.needs_language_model:  # whose tests are of its own
            context = HeadContext(config, task, TOKENIZER, backbone, Streams(1))
            encoded = head.encode(context, loaded.train)
            owners = set(encoded.owners.tolist())
            assert owners == set(range(len(loaded.train))) and encoded.longest.max() <= 128
    except InputError as error:
        check_refusal(error, path)
        return False
    for example in loaded.train:
        check_example(example, task)
    assert read_units(path, task) == written_units(path, task)
    return True


def task_is_qa(name: str) -> bool:
    return tasks.load(name).head == "span"


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_read_in_full_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    path = official(tmp_path, name)
    content = path.read_bytes()
    assert check(name, tmp_path, path)
    structured = damaged_json if path.suffix[:5] == ".json" else damaged_columns
    outcomes = set()
    for seed in range(COUNT):
        rng = random.Random(f"{name}/{seed}")
        path.write_bytes((structured if rng.random() < 0.5 else damaged)(content, rng))
        try:
            outcomes.add(check(name, tmp_path, path))
        except Exception as error:
            raise AssertionError(
                f"{name}, seed {seed}: {type(error).__name__} for {path.read_bytes()[:600]!r}"
            ) from error
    assert outcomes == {True, False}
