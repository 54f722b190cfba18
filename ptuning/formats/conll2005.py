"""CoNLL-2005: parallel files of words and of propositions."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from ptuning.errors import InputError
from ptuning.formats.columns import Sentence, predicates, sentences
from ptuning.formats.rows import Rows


def read(words_path: Path, props_path: Path) -> Rows:
    """Rows {"words", "predicates", "places"} of CoNLL-2005's parallel files of words and of propositions.

    Predicates are as in `conll2012`, the places those of the propositions.
    """
    rows: Rows = []
    for words, sentence in zip_longest(sentences(words_path, None), sentences(props_path, None)):
        _check_parallel(words, sentence, words_path, props_path)
        columns = range(1, len(sentence.cells[0]))
        row = {
            "words": words.column(0),
            "predicates": predicates(sentence, 0, columns),
            "places": sentence.places,
        }
        rows.append((sentence.places[0], row))
    return rows


def _check_parallel(words: Sentence | None, props: Sentence | None, words_path: Path, props_path: Path) -> None:
    """Raises InputError where one file has a sentence, or a sentence a line, that the other has not."""
    if words is None or props is None:
        further, other = (props, words_path) if words is None else (words, props_path)
        assert further is not None
        raise InputError(f"{further.places[0]}: {other} has no such sentence: give two files of the same sentences.")
    short, long = sorted((words.places, props.places), key=len)
    if len(short) < len(long):
        raise InputError(
            f"{long[len(short)]}: the sentence goes on here, and ends at {short[-1]} in the other file: give two files"
            " with the same lines."
        )
