"""Cases that hold every pair of values at least once, few of them: the fewest that a greedy search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product

Case = dict[str, str]


def every_pair(
    dimensions: Mapping[str, Sequence[str]], possible: Callable[[Case], bool] = lambda case: True
) -> list[Case]:
    """Cases with a value of each dimension, such that any two values of two dimensions meet in one of them: where they
    can, in one that is `possible`, which is asked of cases that lack some dimensions too.

    Each case begins with a pair that is still to be met, and takes in every other dimension the value that meets most
    new pairs, the one that was taken least among equals. The same each time.
    """
    waiting = dict.fromkeys(_pairs_of(dimensions))
    taken = {(name, value): 0 for name, values in dimensions.items() for value in values}
    cases: list[Case] = []
    while waiting:
        case = dict(next(iter(waiting)))
        met = possible(case)
        for name in [name for name in dimensions if name not in case]:
            case[name] = min(
                [value for value in dimensions[name] if not met or possible(case | {name: value})],
                key=lambda value: (-sum(pair in waiting for pair in _with(case, name, value)), taken[name, value]),
            )
        for pair in combinations(sorted(case.items()), 2):
            if met or not possible(dict(pair)):
                waiting.pop(pair, None)
        for one in case.items():
            taken[one] += 1
        cases.append({name: case[name] for name in dimensions})
    return cases


def every_case(dimensions: Mapping[str, Sequence[str]]) -> Iterator[Case]:
    """The full product."""
    for values in product(*dimensions.values()):
        yield dict(zip(dimensions, values, strict=True))


def _pairs_of(dimensions: Mapping[str, Sequence[str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    for one, other in combinations(sorted(dimensions), 2):
        for values in product(dimensions[one], dimensions[other]):
            yield ((one, values[0]), (other, values[1]))


def _with(case: Case, name: str, value: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """The pairs that a value makes with those that a case has."""
    for other in case.items():
        yield tuple(sorted((other, (name, value))))
