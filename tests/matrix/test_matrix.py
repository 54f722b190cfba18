"""Whatever a run is made of, it is refused in a sentence before it trains, or all that runs have in common holds."""

import re

import pytest

from ptuning.errors import InputError
from tests.matrix import cases
from tests.matrix.invariants import check, prepare

PAIRED = cases.meeting(2)
VALUES = sorted({one for case in PAIRED for one in case.items()})


@pytest.mark.parametrize("case", PAIRED, ids=cases.name)
def test_it_is_refused_in_a_sentence_or_the_invariants_hold(case, tmp_path):
    try:
        ready = prepare(case, tmp_path)
    except InputError as refusal:
        assert re.fullmatch(r"[^\n]+\.", str(refusal))
    else:
        check(ready, tmp_path)


@pytest.mark.parametrize("value", VALUES, ids="=".join)
def test_not_all_cases_with_a_value_are_refused(value, tmp_path):
    """So that those which the test above trains hold each value."""
    for number, case in enumerate(PAIRED):
        if value in case.items():
            try:
                prepare(case, tmp_path / str(number))
            except InputError:
                continue
            return
    pytest.fail(f"every case with {'='.join(value)} is refused")


def test_every_two_values_meet_in_few_cases():
    assert len(PAIRED) <= 300
    for prompted in (False, True):
        dimensions = cases.dimensions(prompted)
        met = [set(case.items()) for case in PAIRED if case.keys() == dimensions.keys()]
        for one in dimensions:
            for other in dimensions:
                if one < other:
                    for values in [(a, b) for a in dimensions[one] for b in dimensions[other]]:
                        assert any({(one, values[0]), (other, values[1])} <= case for case in met)
