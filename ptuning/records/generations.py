"""The texts that a run generated at its chosen epoch, beside its record: `results/generations/<run>.jsonl`, a line an
example, with what it was generated from and the references that it was scored by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptuning.config import Recorded
from ptuning.files import write_atomic
from ptuning.formats import json_files
from ptuning.records.identity import run_name
from ptuning.tasks.kinds.examples import Request

Line = dict[str, Any]  # split, source, references, text


def path(config: Recorded) -> Path:
    """Where the generated texts of a run or evaluation are kept."""
    return config.runtime.results / "generations" / f"{run_name(config)}.jsonl"


def lines(examples: Mapping[str, Sequence[Request]], texts: Mapping[str, Sequence[str]]) -> list[Line]:
    """The `texts` of each split with their examples."""
    return [
        {"split": split, "source": one.source, "references": list(one.references or ()), "text": text}
        for split, said in texts.items()
        for one, text in zip(examples[split], said, strict=True)
    ]


def write(file: Path, found: Sequence[Line]) -> Path:
    """Raises OSError where the disk refuses."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found))
    return file


def read(config: Recorded) -> list[Line]:
    """Raises InputError for a file that is missing or damaged."""
    return [dict(line) for _, line in json_files.json_lines(path(config))]
