"""The benchmarks' results: what was measured, its Markdown taken apart, and its drawing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.artefacts.sidecar import Frame
from experiments.benchmark import report
from experiments.benchmark.report import Kind
from experiments.site import drawing
from ptuning.errors import InputError


@dataclass(frozen=True)
class Benchmark:
    """A section of the page. `blocks` are the paragraphs and tables of its Markdown."""

    stem: str
    title: str
    blocks: list[Frame | str]
    drawing: Markup
    command: str
    facts: Mapping[str, Mapping[str, str]]


def read_all(folder: Path) -> list[Benchmark]:
    """Raises InputError, naming the file, where one of the three is missing or not what it should be."""
    return [_read(file) for file in sorted(folder.glob("*.json"))]


def _read(file: Path) -> Benchmark:
    try:
        result = json.loads(file.read_text())
        work, device = result["work"], result["device"]
        kind = report.kind(result)
        title = f"{kind.title}, {work['shape']}, {work['task']} lengths, {device['kind']}"
        text = file.with_suffix(".md").read_text()
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is missing: make it with python -m experiments.benchmark.report."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} is no benchmark's result: delete it, or make it again.") from None
    return Benchmark(
        stem=file.stem,
        title=title,
        blocks=list(_blocks(text)),
        drawing=drawing.inline(file.with_suffix(".svg"), file.stem, f"Benchmark: {title}", {}),
        command=_command(kind, work),
        facts={"work": _texts(work), "device": _texts(device)},
    )


def _blocks(markdown: str) -> Iterator[Frame | str]:
    for block in filter(None, map(str.strip, markdown.split("\n\n"))):
        if block.startswith("|"):
            head, _, *rows = ([part.strip() for part in line.strip()[1:-1].split("|")] for line in block.splitlines())
            yield Frame(columns=head, rows=rows)
        else:
            yield block


def _command(kind: Kind, work: Mapping[str, Any]) -> str:
    options = {"--shape": "shape", "--task": "task", "--rounds": "rounds", "--examples": "examples",
               "--packed": "packed_runs"}  # fmt: skip
    given = (text for option, key in options.items() if key in work for text in (option, str(work[key])))
    return shlex.join(["python", "-m", kind.module, *given])


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Names and values; of values that have parts, each with its name."""
    return {
        name: ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
        for name, value in values.items()
    }
