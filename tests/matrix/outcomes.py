"""What became of a case."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from ptuning.errors import InputError
from tests.matrix.covering import Case
from tests.matrix.invariants import check, prepare


class Outcome(NamedTuple):
    case: Case
    status: str  # trained, refused or failed
    sentence: str = ""  # of the refusal, or what failed


def attempt(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        try:
            ready = prepare(case, Path(folder))
        except InputError as refusal:
            return Outcome(case, "refused", str(refusal))
        except Exception as error:
            return Outcome(case, "failed", repr(error))
        try:
            check(ready, Path(folder))
        except Exception as error:  # an AssertionError too
            return Outcome(case, "failed", repr(error))
    return Outcome(case, "trained")
