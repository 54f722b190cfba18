"""CoNLL-2012 and OntoNotes 5: `*_gold_conll` files with names and predicates in bracket columns."""

from __future__ import annotations

from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats import spans
from ptuning.formats.columns import check_width, predicates, sentences
from ptuning.formats.rows import Rows


def read(path: Path) -> Rows:
    """Rows {"words", "tags", "predicates", "places"} of a `*_gold_conll` file, or of all below a folder, sorted.

    The tags are the named entities', in BIO. A predicate is {"at": word, "roles": [[label, first, last], ...]}.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*_gold_conll"))
    if not files:
        raise InputError(f"{path} is neither a file nor a folder with *_gold_conll files: correct the path.")
    rows: Rows = []
    for file in files:
        for sentence in sentences(file, None):
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
