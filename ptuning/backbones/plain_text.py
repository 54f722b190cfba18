"""Plain text that language models are trained on: a file, the .txt and .md files of a folder, or a data set of the
Hugging Face hub with a column `text`, `hub:<name>`, `hub:<name>:<configuration>`, with `@<revision>` at the end."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ptuning.errors import InputError
from ptuning.formats import text_files

KEY = "backbone.adaptation.text"
_HUB = re.compile(r"hub:(?P<name>[^:@]+)(:(?P<configuration>[^@]+))?(@(?P<revision>.+))?")
_ENDINGS = (".txt", ".md")


def check(place: str) -> None:
    """Raise InputError where there is no such text, as far as it can be seen without reading or fetching it."""
    if place.startswith("hub:"):
        if not _HUB.fullmatch(place):
            raise InputError(f"{KEY}={place} names no data set: write hub:<name>, or hub:<name>:<configuration>.")
    elif not _files(place):
        shown = place if place.isprintable() else repr(place)
        raise InputError(
            f"{KEY}={shown} is no text file, nor a folder with .txt or .md files: say where plain text is, by "
            "text=<folder>, text=<file> or text=hub:<data set>."
        )


def fingerprint(place: str) -> str | None:
    """A hash of the files' text, in the order of their names; of a data set's name, configuration and revision. None
    where there is no such text on this machine."""
    if place.startswith("hub:"):
        return hashlib.sha256(place.encode()).hexdigest()[:16]
    files = _files(place)
    return _hash(tuple((file, *_state(file)) for file in files)) if files else None


def tokens(place: str, tokenizer: Any) -> Tensor:
    """The tokens of the whole text, end to end `[N]`, without special tokens. Raises InputError where it cannot be
    read."""
    check(place)
    texts = _of_hub(place) if place.startswith("hub:") else [text_files.content(one, "text") for one in _files(place)]
    paragraphs = [part for text in texts for part in text.split("\n\n") if part.strip()]
    if not paragraphs:
        raise InputError(f"{KEY}={place} holds no text: give a folder or file that does.")
    encoded = tokenizer(paragraphs, add_special_tokens=False)["input_ids"]
    return torch.tensor([token for one in encoded for token in one])


def _files(place: str) -> list[Path]:
    try:
        path = Path(place).expanduser()
        if path.is_dir():
            return sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
        return [path] if path.is_file() else []
    except (RuntimeError, ValueError, OSError):  # ~ of nobody, a null character, a name that is too long
        return []


def _state(file: Path) -> tuple[int, int]:
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


@cache
def _hash(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Of what is in the files; the rest of `files` tells when that is to be worked out again."""
    digest = hashlib.sha256()
    for file, size, _ in files:
        digest.update(f"{size} ".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _of_hub(place: str) -> list[str]:
    import datasets  # slow to import, and only this needs it

    named = _HUB.fullmatch(place)
    assert named is not None
    try:
        rows = datasets.load_dataset(named["name"], named["configuration"], split="train", revision=named["revision"])
        return [str(text) for text in rows["text"]]
    except Exception as error:  # the library has no common base class: offline, unknown name, no such column, …
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{KEY}={place} could not be loaded ({reason}): mend that, or give a folder or a file of plain text."
        ) from error
