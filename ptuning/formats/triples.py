"""Sets of triples and the texts that say them: the XML of WebNLG (Gardent et al., 2017), which DART has as well."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from ptuning.errors import InputError
from ptuning.formats import fields, text_files
from ptuning.formats.rows import Row, Rows

WANTED = "WebNLG's XML (<benchmark>, <entries>, <entry>)"
SEPARATOR = " | "


def read(path: Path) -> Rows:
    """Rows {"category", "triples", "references"} of an XML file, or of all `*.xml` below a folder, sorted: an entry's
    (subject, property, object) and its texts, all whitespace single spaces. Places are "file:line".

    An entry without any text has no "references"; texts that are empty stand there as "".
    Raises InputError for a malformed file or entry, and for a folder without files.
    """
    files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} is a folder without any *.xml file: put the official files there.")
    return [row for file in files for row in _rows(file)]


def _rows(path: Path) -> Rows:
    text = text_files.content(path, WANTED)
    # Entities are not resolved: a file is to hold what it says, and to read no other one.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 1
        said = " ".join(error.msg.partition(", line ")[0].split()) if error.msg else "it is empty"
        raise InputError(f"{path}:{line}: not valid XML ({said}): put the official file, {WANTED}, there.") from None
    if root.tag != "benchmark":
        raise InputError(f"{path}:{root.sourceline}: the file is no {WANTED}: put the official file there.")
    return [(f"{path}:{entry.sourceline}", _row(entry, f"{path}:{entry.sourceline}")) for entry in root.iter("entry")]


def _row(entry: etree._Element, where: str) -> Row:
    sets = entry.findall("modifiedtripleset")
    triples = sets[0].findall("mtriple") if len(sets) == 1 else []
    if not triples:
        raise InputError(
            f"{where}: the entry has {len(sets)} <modifiedtripleset>, not one with <mtriple>s: correct it."
        )
    row: dict[str, object] = {
        "category": entry.get("category", ""),
        "triples": [_triple(_text(one), f"{where.rpartition(':')[0]}:{one.sourceline}") for one in triples],
    }
    texts = [_text(one) for one in entry.findall("lex")]
    return {**row, "references": texts} if texts else row


def _text(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _triple(text: str, where: str) -> list[str]:
    parts = text.split(SEPARATOR)
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f"{where}: the triple {fields.short(text)} is not 'subject | property | object': correct the line."
        )
    return parts
