"""METEOR 1.5 (Denkowski and Lavie, 2014), a Java program with tables of paraphrases: opt-in, since it wants Java and
fetches 104 MB once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ptuning.errors import InputError
from ptuning.metrics.captions import tokens
from ptuning.pypi import Package, members

PACKAGE = Package("pycocoevalcap==1.2", "083ed7910f1aec000b0a237ef6665f74edf19954204d0b1cbdb8399ed132228d")
JAR = "pycocoevalcap/meteor/meteor-1.5.jar"
PARAPHRASES = "pycocoevalcap/meteor/data/paraphrase-en.gz"
FILES = {
    JAR: "1e57b4c72c0830ebe68558f1c799a624e96cbc1b6045c9f6330e26dcff6eafc2",
    PARAPHRASES: "c147ac7d2c91f2fbb3ad31e4b352235061eb83145e0434daf217ee9ca5975f48",
}


def meteor(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Of all texts together, in percent, as the E2E challenge's official scorer calls it: English, its tokens
    normalised; of a text's references the best one counts.

    Raises InputError without Java, and where the program cannot be fetched or fails.
    """
    java = shutil.which("java")
    if java is None:
        raise InputError("METEOR is a Java program, and there is no java here: install one, or leave METEOR out.")
    found = members(PACKAGE, FILES)
    command = [java, "-Xmx2G", "-jar", str(found[JAR]), "-", "-", "-stdio", "-l", "en", "-norm"]
    command += ["-a", str(found[PARAPHRASES])]  # which it would look for by a path that it cannot write
    with _running(command) as ask:
        counts = [ask(line) for line in _questions(predictions, references)]
        answers = [ask(" ||| ".join(["EVAL", *counts]))]  # a line a text, and then one of all together
        answers += [ask(None) for _ in counts]
    return 100 * float(answers[-1])


@contextmanager
def _running(command: Sequence[str]) -> Iterator[Callable[[str | None], str]]:
    """What gives the program a line, if any, and takes one of its answers. Raises InputError where there is none."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    given, taken, complaints = process.stdin, process.stdout, process.stderr

    def ask(line: str | None) -> str:
        with suppress(BrokenPipeError):  # it has ended, and answers nothing
            if line is not None:
                print(line, file=given, flush=True)
        if answer := taken.readline().strip():
            return answer
        said = complaints.read().strip().partition("\n")[0]
        raise InputError(f"METEOR, run by {command[0]}, ended without an answer ({said}): mend that, or leave it out.")

    try:
        yield ask
    finally:
        process.kill()
        process.wait()
        for stream in (given, taken, complaints):
            with suppress(BrokenPipeError):
                stream.close()


def _questions(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Iterator[str]:
    for text, several in zip(predictions, references, strict=True):
        parts = [" ".join(tokens(one)) for one in (*several, text)]
        yield " ||| ".join(["SCORE", *parts])
