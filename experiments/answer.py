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
import sys
from pathlib import Path

from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.formats.json_files import json_lines
from ptuning.launch import compose
from ptuning.predict import Answerer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, metavar="FILE.safetensors")
    parser.add_argument("--out", type=Path, help="default: standard output")
    parser.add_argument("overrides", nargs="*", help="such as runtime.device=cuda", metavar="runtime.KEY=VALUE")
    given = parser.parse_intermixed_args()
    files = [file for file in given.prompts if "=" not in file.name]
    overrides = [*given.overrides, *(str(file) for file in given.prompts if "=" in file.name)]
    try:
        if given.out is not None and not given.out.parent.is_dir():
            raise InputError(f"--out: {given.out.parent} is not a folder: make it first.")
        runtime = compose.expand(overrides)[0].runtime
        if not given.questions.is_file():
            raise InputError(f"{given.questions} is not a file: give a JSON Lines file of questions.")
        asked = json_lines(given.questions)
        answers = Answerer(files, runtime).answer(asked)
    except InputError as error:
        sys.exit(f"error: {error}")
    lines = "".join(
        json.dumps({"question": where, "answers": found}, ensure_ascii=False) + "\n"
        for (where, _), found in zip(asked, answers, strict=True)
    )
    if given.out is None:
        sys.stdout.write(lines)
    else:
        write_atomic(given.out, lines)
        print(f"{len(answers)} questions answered: {given.out}")


if __name__ == "__main__":
    main()
