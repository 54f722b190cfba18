"""PropBank over the English Web Treebank: tab-separated columns with a genre in each sentence's id."""

from __future__ import annotations

from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats.columns import check_width, predicates, sentences
from ptuning.formats.rows import Rows


def read(path: Path) -> Rows:
    """Rows {"words", "predicates", "genre", "places"} of PropBank's English Web Treebank, predicates as above.

    The columns are index, word, tag, parse, lemma, roleset and one a predicate; "# sent_id = GENRE-..." comes first.
    Raises InputError for what is malformed, with its file and line.
    """
    rows: Rows = []
    for sentence in sentences(path, None, "\t"):
        where = sentence.places[0]
        check_width(sentence, 6, "index, word, tag, parse, lemma, roleset, and one a predicate")
        if "sent_id" not in sentence.comments:
            raise InputError(f"{where}: no line '# sent_id = GENRE-...' precedes the sentence: add it.")
        row = {
            "words": sentence.column(1),
            "predicates": predicates(sentence, 5, range(6, len(sentence.cells[0]))),
            "genre": sentence.comments["sent_id"].partition("-")[0],
            "places": sentence.places,
        }
        rows.append((where, row))
    return rows
