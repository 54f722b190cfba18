"""Answer questions of several tasks in one go, with prompts that runs saved.

    python -m experiments.run -m task=cb,rte runtime.save=true
    python -m experiments.answer questions.jsonl --prompts outputs/weights/*.safetensors --out answers.jsonl

A line of questions.jsonl is a row in its task's official format, labels not needed, with "task" (or "run", the name of
a prompt's file): {"task": "rte", "premise": "...", "hypothesis": "..."}. A line of the answers holds the run and, for
each thing asked in the row, the answer: label and probabilities, entities, roles, or a part of the passage. Any
`runtime.*` override may follow.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.answer")

from experiments.output import escape_unprintable
from ptuning.config import RuntimeConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.formats.json_files import json_lines
from ptuning.launch import compose
from ptuning.launch.overrides import is_sweep
from ptuning.predict import Answerer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--prompts", nargs="+", required=True, metavar="FILE.safetensors")
    parser.add_argument("--out", type=Path, help="default: standard output")
    parser.add_argument("overrides", nargs="*", help="such as runtime.device=cuda", metavar="runtime.KEY=VALUE")
    given = parser.parse_intermixed_args()
    files = [Path(text) for text in given.prompts if not _is_override(text)]
    overrides = [*given.overrides, *filter(_is_override, given.prompts)]
    escape_unprintable()
    try:
        _check_out(given.out)
        runtime = _runtime(overrides)
        if not given.questions.is_file():
            raise InputError(f"{given.questions} is not a file: give a JSON Lines file of questions.")
        asked = json_lines(given.questions)
        answers = Answerer(files, runtime).answer(asked)
    except InputError as error:
        sys.exit(f"error: {error}")
    lines = [{"question": where, "answers": found} for (where, _), found in zip(asked, answers, strict=True)]
    if given.out is None:
        _print(lines)
        return
    try:
        write_atomic(given.out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    except OSError as error:
        _print(lines)
        why = error.strerror
        sys.exit(f"error: --out: {given.out} cannot be written ({why}): the answers went to standard output instead.")
    print(f"{len(answers)} questions answered: {given.out}")


def _print(lines: Sequence[Mapping[str, Any]]) -> None:
    """As JSON, which stays JSON in a standard output that is not UTF-8."""
    escaped = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    for line in lines:
        print(json.dumps(line, ensure_ascii=escaped))


def _is_override(text: str) -> bool:
    """Of what follows --prompts: key=value, and not a file, whose path may have both = and /."""
    return re.match(r"[+~]*[\w.]+=", text) is not None and not Path(text).is_file()


def _check_out(file: Path | None) -> None:
    if file is not None and not file.parent.is_dir():
        raise InputError(f"--out: {file.parent} is not a folder: make it first.")
    if file is not None and file.is_dir():
        raise InputError(f"--out: {file} is a folder: name a file in it.")


def _runtime(overrides: Sequence[str]) -> RuntimeConfig:
    """Raises InputError for an override that is not of `runtime`, or has several values."""
    for override in overrides:
        if not override.startswith("runtime."):
            raise InputError(
                f"{override} is refused: a prompt's file says all else, only runtime.KEY=VALUE may follow."
            )
        if is_sweep(override):
            raise InputError(f"{override} is refused: give one value.")
    return compose.expand(overrides)[0].runtime


if __name__ == "__main__":
    main()
