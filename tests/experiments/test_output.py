"""What entry points print goes to a standard output of any encoding."""

import io
import sys
from pathlib import Path

import pytest

from experiments.output import escape_unprintable

ROOT = Path(__file__).parents[2]
FILES = [file for file in (ROOT / "experiments").rglob("*.py") if "__main__" in file.read_text(encoding="utf-8")]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_escaped(monkeypatch, encoding):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    escape_unprintable()
    print("71.5\u1d9c")
    stdout.flush()
    written = stdout.buffer.getvalue().decode(encoding).strip()
    assert written == ("71.5\u1d9c" if encoding == "utf-8" else "71.5\\u1d9c")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_entry_point_sees_to_it(file):
    text = file.read_text(encoding="utf-8")
    assert "escape_unprintable()" in text or ".main()" in text  # of an artefact, which does
