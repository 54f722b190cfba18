"""CoNLL-2012 and OntoNotes 5: `*_gold_conll` files with names and predicates in bracket columns."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import spans
from ptuning.formats.columns import check_width, predicates, sentences
from ptuning.formats.rows import Rows

_RELEASE = re.compile(r"v\d+")  # as in conll-2012/v4 and x.v4_gold_conll
_TEST_FOLDERS = {"test", "conll-2012-test"}  # OntoNotes' own, and the shared task's part of it
_SPLITS = _TEST_FOLDERS | {"train", "development"}
_LINK = re.compile(r"\.{0,2}/[\w./-]+")


def read(path: Path) -> Rows:
    """Rows {"words", "tags", "predicates", "places"} of a `*_gold_conll` file, or of all below a folder, sorted;
    symbolic links are followed. Raises InputError for what is malformed, with its file and line.

    The tags are the named entities', in BIO. A predicate is {"at": word, "roles": [[label, first, last], ...]}.
    """
    files = [path] if path.is_file() else _files(path)
    if not files:
        raise InputError(f"{path} is neither a file nor a folder with *_gold_conll files: correct the path.")
    rows: Rows = []
    for file in files:
        found = sentences(file, None)
        if not found:
            raise InputError(f"{file} has no sentence: put the whole file there, or remove it.")
        for sentence in found:
            check_width(sentence, 12, "CoNLL-2012's 11, one a predicate, and the coreference")
            names = spans.of_brackets(sentence.column(10), sentence.places)
            row = {
                "words": sentence.column(3),
                "tags": spans.to_tags(names, len(sentence.cells)),
                "predicates": predicates(sentence, 7, range(11, len(sentence.cells[0]) - 1)),
                "places": sentence.places,
            }
            rows.append((sentence.places[0], row))
    return rows


def others_beside(path: Path) -> list[Path]:
    """Folders that a split could as well be read from instead of `path`: the same one of another release, and the
    other of the two test sets."""
    parts = path.parts
    found = []
    for at, part in enumerate(parts):
        if part in _TEST_FOLDERS:
            found += [Path(*parts[:at], name, *parts[at + 1 :]) for name in _TEST_FOLDERS - {part}]
        if _RELEASE.fullmatch(part) and Path(*parts[:at]).is_dir():
            releases = [one.name for one in Path(*parts[:at]).iterdir() if _RELEASE.fullmatch(one.name)]
            found += [Path(*parts[:at], name, *parts[at + 1 :]) for name in releases if name != part]
    return sorted(one for one in found if one.exists())


def _files(folder: Path) -> list[Path]:
    """The `*_gold_conll` files below a folder, sorted. Raises InputError where a link leads nowhere, or back into what
    is read already, and where the folder holds two releases, two splits, or a document twice."""
    found: list[Path] = []
    read: dict[str, Path] = {}  # folders by where they really are
    for name, _, files in os.walk(folder, followlinks=True):
        here = Path(name)
        first = read.setdefault(os.path.realpath(here), here)
        if first != here:
            raise InputError(f"{here} and {first} are one folder, linked: remove the link, or name one of them.")
        for file in (here / name for name in files):
            _check_link(file)
            if file.name.endswith("_gold_conll"):
                found.append(file)
    for label in (_release, _split):
        labelled = {label(file.relative_to(folder)): file for file in sorted(found, reverse=True)}
        _check_alike(folder, [labelled[one] for one in sorted(labelled) if one])
    _check_documents(folder, found)
    return sorted(found)


def _check_link(file: Path) -> None:
    """Raises InputError for a link to nothing, and for one that was unpacked as a file with the path in it."""
    if file.is_symlink() and not file.exists():
        raise InputError(f"{file} is a link to nothing ({os.readlink(file)}): mend it or remove it.")
    if not file.suffix and file.is_file() and file.stat().st_size < 1024:
        text = file.read_bytes().decode(errors="replace").strip()
        if _LINK.fullmatch(text):
            raise InputError(f"{file} is a link unpacked as a text ({text}): put the folder there, or remove it.")


def _release(file: Path) -> str:
    """The release that a file is of, by a folder's name, or by its own."""
    return next((part for part in file.parts[:-1] if _RELEASE.fullmatch(part)), "") or file.suffix.partition("_")[0]


def _split(file: Path) -> str:
    return next((part for part in file.parts[:-1] if part in _SPLITS), "")


def _check_alike(folder: Path, files: list[Path]) -> None:
    """Raises InputError where there is more than one file, each of another release or split."""
    if len(files) > 1:
        raise InputError(
            f"{folder} has two releases or two splits side by side ({files[0]} and {files[1]}): name the folder of "
            "one of them in data.files."
        )


def _check_documents(folder: Path, files: list[Path]) -> None:
    """Raises InputError where a document stands there twice: its name is what follows `annotations`."""
    known: dict[tuple[str, ...], Path] = {}
    for file in files:
        parts = file.relative_to(folder).with_suffix("").parts
        document = parts[parts.index("annotations") + 1 :] if "annotations" in parts else parts
        first = known.setdefault(document, file)
        if first != file:
            raise InputError(f"{file} is the same document as {first}: keep one, or name its folder in data.files.")
