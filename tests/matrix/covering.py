"""Few cases in which any two values, or any three, meet: the fewest that a greedy search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product

Case = dict[str, str]
Values = tuple[tuple[str, str], ...]  # of some dimensions, by their names


def covering(
    dimensions: Mapping[str, Sequence[str]], size: int, possible: Callable[[Case], bool] = lambda case: True
) -> list[Case]:
    """Cases with a value of each dimension, such that any `size` values of as many dimensions meet in one of them:
    where they can, in one that is `possible`, which is asked of cases that lack some dimensions too.

    Each case begins with values that are still to meet, and takes in every other dimension the value that makes most
    new meetings, the one that was taken least among equals. The same each time.
    """
    waiting = dict.fromkeys(_meetings(dimensions, size))
    taken = {(name, value): 0 for name, values in dimensions.items() for value in values}
    cases: list[Case] = []
    while waiting:
        case = dict(next(iter(waiting)))
        met = possible(case)
        for name in [name for name in dimensions if name not in case]:
            case[name] = min(
                [value for value in dimensions[name] if not met or possible(case | {name: value})],
                key=lambda value: (-sum(one in waiting for one in _with(case, name, value, size)), taken[name, value]),
            )
        for values in combinations(sorted(case.items()), size):
            if met or not possible(dict(values)):
                waiting.pop(values, None)
        for one in case.items():
            taken[one] += 1
        cases.append({name: case[name] for name in dimensions})
    return cases


def _meetings(dimensions: Mapping[str, Sequence[str]], size: int) -> Iterator[Values]:
    """All that are to meet; of fewer dimensions than that, all of them."""
    for names in combinations(sorted(dimensions), min(size, len(dimensions))):
        for values in product(*(dimensions[name] for name in names)):
            yield tuple(zip(names, values, strict=True))


def _with(case: Case, name: str, value: str, size: int) -> Iterator[Values]:
    """The meetings of a value with those that a case has."""
    for others in combinations(case.items(), size - 1):
        yield tuple(sorted((*others, (name, value))))
