"""Few-shot sets: training rows drawn from the official training set, and a development set of as many beside them.

The rows are official ones, so that what stands together (the questions of a MultiRC passage, the queries of a ReCoRD
one) is drawn together. Where each row has one label, every label is drawn as often as the others, as far as its rows
go; otherwise all rows are equally likely.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest


def draw(labels: Sequence[str | None], count: int, seed: int, sets: int) -> list[list[int]]:
    """Disjoint `sets` of `count` rows each, with the same number of rows of a label in each: their places among those
    whose `labels` are given (None: the row has no one label), ascending. The same seed draws the same rows, and a
    greater `count` draws more of them. There have to be `count * sets` rows.
    """
    rng = random.Random(f"sample {seed}")
    by_label = _by_label(labels)
    rng.shuffle(by_label)  # which labels come first where some are drawn once more than others
    for rows in by_label:
        rng.shuffle(rows)
    # A unit is a row for each set.
    units = [[rows[at : at + sets] for at in range(0, len(rows), sets)] for rows in by_label]
    turns = [unit for turn in zip_longest(*units, fillvalue=()) for unit in turn if len(unit) == sets]
    left = [row for rows in by_label for row in rows[len(rows) - len(rows) % sets :]]
    turns += [left[at : at + sets] for at in range(0, len(left), sets)]
    return [sorted(unit[index] for unit in turns[:count]) for index in range(sets)]


def _by_label(labels: Sequence[str | None]) -> list[list[int]]:
    """The places of each label's rows, or of all rows where some have no one label."""
    if None in labels:
        return [list(range(len(labels)))]
    found: dict[str | None, list[int]] = {label: [] for label in sorted(map(str, labels))}
    for place, label in enumerate(labels):
        found[label].append(place)
    return list(found.values())
