"""Documents of plain text, as sentences: a file each (.txt, .md), in a folder or by itself. Headings and rules of
Markdown are left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sentence_splitter import SentenceSplitter

from ptuning.errors import InputError
from ptuning.formats import text_files
from ptuning.formats.rows import Rows

ENDINGS = (".txt", ".md")
_LEFT_OUT = re.compile(r"#|[-*_=]{3,}\s*$")  # how such a line begins
FEWEST_WORDS = 3  # of a sentence: fewer say too little to be asked about


def read(path: Path) -> Rows:
    """Rows {"sentences"}, one a document that has any, by the names of their files. Raises InputError for a folder
    without documents, and a file that is no text in UTF-8."""
    files = sorted(one for one in path.iterdir() if one.suffix in ENDINGS) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} has no {' or '.join(ENDINGS)} files: put documents of plain text there.")
    found = [(str(file), {"sentences": sentences(text_files.content(file, "text"))}) for file in files]
    return [(where, row) for where, row in found if row["sentences"]]


def sentences(text: str) -> list[str]:
    """Those of English text, whose paragraphs stand between blank lines."""
    kept = "\n".join(line for line in text.splitlines() if not _LEFT_OUT.match(line))
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", kept)]
    found = [sentence for part in paragraphs if part for sentence in _splitter().split(part)]
    return [sentence for sentence in found if len(sentence.split()) >= FEWEST_WORDS]


@cache
def _splitter() -> SentenceSplitter:
    return SentenceSplitter(language="en")
